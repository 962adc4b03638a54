// SPDX-License-Identifier: MIT
// Opcodes: Lib/pickletools.py of CPython.
#include "runs/pickle.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <utility>

namespace vggplan::runs {

namespace {

using Value = Pickle::Value;
using Type = Pickle::Type;

/// Lists, tuples and dicts of one file. A recorded event is one dict and shares its stack of frames; a million of them
/// is a history of hours.
constexpr std::size_t kMostContainers = 8'000'000;
/// Values in all of them, and values kept for later: 16 bytes each.
constexpr std::size_t kMostValues = 40'000'000;
/// Those of a snapshot have twenty. They are searched key by key, and the same one may stand in many places.
constexpr std::size_t kMostKeys = 100;
/// Python writes long lists a thousand entries at a time.
constexpr std::size_t kMostOpen = 1'000'000;
constexpr const char* kShorter = "record fewer events: _record_memory_history(max_entries=1000000)";

/// Opcodes that import, call or load from elsewhere.
std::string_view name_of_call(unsigned char code) {
  constexpr std::array<std::pair<unsigned char, std::string_view>, 14> kCalls{{{'c', "GLOBAL"},
                                                                               {0x93, "STACK_GLOBAL"},
                                                                               {'R', "REDUCE"},
                                                                               {'b', "BUILD"},
                                                                               {'i', "INST"},
                                                                               {'o', "OBJ"},
                                                                               {0x81, "NEWOBJ"},
                                                                               {0x92, "NEWOBJ_EX"},
                                                                               {0x82, "EXT1"},
                                                                               {0x83, "EXT2"},
                                                                               {0x84, "EXT4"},
                                                                               {'P', "PERSID"},
                                                                               {'Q', "BINPERSID"},
                                                                               {0x97, "NEXT_BUFFER"}}};
  for (const auto& [call, name] : kCalls) {
    if (call == code) {
      return name;
    }
  }
  return "";
}

Value whole(Type type, std::int64_t number) {
  Value value;
  value.type = type;
  value.integer = number;
  return value;
}

}  // namespace

/// The machine that pickles are programs for, without the part of it that calls.
class Unpickler {
 public:
  Unpickler(std::string_view bytes, std::string_view place) : place_(place) { pickle_.bytes_ = bytes; }

  base::Result<Pickle> run() {
    while (!stopped_) {
      start_ = at_;
      const auto code = static_cast<unsigned char>(number(1));
      if (!fault_.empty() || !(step_scalar(code) || step_container(code) || step_memo(code))) {
        refuse(code);
      }
      if (!fault_.empty()) {
        return base::wrong(fmt::format("{}:byte {}", place_, start_), fault_, remedy_);
      }
    }
    return std::move(pickle_);
  }

 private:
  static constexpr const char* kCut = "ends too early: it is cut short";

  void fail(std::string rule, std::string remedy = "") {
    if (fault_.empty()) {
      fault_ = std::move(rule);
      remedy_ = std::move(remedy);
    }
  }
  void refuse(unsigned char code) {
    const std::string_view call = name_of_call(code);
    if (call.empty()) {
      fail(fmt::format("has the opcode 0x{:02x}, which plain data does not need", code),
           "write it with torch.cuda.memory._dump_snapshot(FILE)");
    } else {
      fail(fmt::format("would have Python import or call something ({}): a snapshot is plain data", call),
           "do not load this file in Python either, unless you trust who wrote it");
    }
  }

  /// Of `size` bytes, the least first.
  std::uint64_t number(std::size_t size) {
    const std::string_view bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
    }
    return value;
  }
  std::string_view take(std::uint64_t size) {
    if (size > pickle_.bytes_.size() - at_) {
      fail(kCut);
      return {};
    }
    const std::string_view bytes = pickle_.bytes_.substr(at_, size);
    at_ += size;
    return bytes;
  }

  void push(const Value& value) {
    if (stack_.size() == kMostOpen) {
      fail(fmt::format("has more than {} values open at once: it is damaged", kMostOpen));
    } else {
      stack_.push_back(value);
    }
  }
  Value pop() {
    if (stack_.empty()) {
      fail("takes a value from an empty stack: it is damaged");
      return {};
    }
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  void push_text(std::uint64_t size) {
    const std::size_t from = at_;
    if (size > UINT32_MAX) {
      fail("holds a text of more than 4 GiB");
      return;
    }
    take(size);
    Value value = whole(Type::text, static_cast<std::int64_t>(from));
    value.length = static_cast<std::uint32_t>(size);
    push(value);
  }
  void push_long(std::size_t size) {
    if (size > sizeof(std::int64_t)) {
      fail("holds an integer of more than 64 bits");
      return;
    }
    const std::uint64_t bits = number(size);
    const std::size_t unused = 64 - 8 * size;  // moved out and back in, the sign comes along
    push(whole(Type::integer, size == 0 ? 0 : static_cast<std::int64_t>(bits << unused) >> unused));
  }
  void push_real() {
    std::uint64_t bits = 0;
    for (const char byte : take(sizeof(bits))) {
      bits = (bits << 8U) | static_cast<unsigned char>(byte);
    }
    Value value;
    value.type = Type::real;
    value.real = std::bit_cast<double>(bits);
    push(value);
  }

  bool step_scalar(unsigned char code) {
    switch (code) {
      case 0x80: number(1); return true;                                         // PROTO
      case 0x95: number(8); return true;                                         // FRAME
      case '.': pickle_.root_ = pop(), stopped_ = true; return true;             // STOP
      case 'N': push({}); return true;                                           // NONE
      case 0x88: push(whole(Type::boolean, 1)); return true;                     // NEWTRUE
      case 0x89: push(whole(Type::boolean, 0)); return true;                     // NEWFALSE
      case 'J': push_long(4); return true;                                       // BININT
      case 'K': push(whole(Type::integer, as_integer(number(1)))); return true;  // BININT1
      case 'M': push(whole(Type::integer, as_integer(number(2)))); return true;  // BININT2
      case 0x8a: push_long(number(1)); return true;                              // LONG1
      case 'G': push_real(); return true;                                        // BINFLOAT
      case 0x8c: push_text(number(1)); return true;                              // SHORT_BINUNICODE
      case 'X': push_text(number(4)); return true;                               // BINUNICODE
      case 0x8d: push_text(number(8)); return true;                              // BINUNICODE8
      default: return false;
    }
  }
  static std::int64_t as_integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

  void push_container(Type type, std::vector<Value> items) {
    if (pickle_.containers_.size() == kMostContainers) {
      fail(fmt::format("holds more than {} lists and dicts", kMostContainers), kShorter);
      return;
    }
    push(whole(type, static_cast<std::int64_t>(pickle_.containers_.size())));
    pickle_.containers_.push_back(std::move(items));
  }
  /// What lies above the last mark, or the topmost `count` values.
  std::vector<Value> above_mark() {
    std::size_t from = stack_.size();
    while (from > 0 && stack_[from - 1].type != Type::mark) {
      --from;
    }
    if (from == 0) {
      fail("lacks the mark that a list begins with: it is damaged");
      return {};
    }
    std::vector<Value> values(stack_.begin() + static_cast<std::ptrdiff_t>(from), stack_.end());
    stack_.resize(from - 1);
    return values;
  }
  std::vector<Value> topmost(std::size_t count) {
    std::vector<Value> values(count);
    for (std::size_t i = count; i-- > 0;) {
      values[i] = pop();
    }
    return values;
  }
  void extend(Type type, const std::vector<Value>& values) {
    const bool fits = !stack_.empty() && stack_.back().type == type && (type != Type::dict || values.size() % 2 == 0);
    for (const Value& value : values) {
      if (value.type == Type::mark) {
        fail("has a mark among values: it is damaged");
      }
    }
    if (!fits) {
      fail("adds to something that is no list or dict: it is damaged");
    } else if (values.size() > kMostValues - values_) {
      fail(fmt::format("holds more than {} values", kMostValues), kShorter);
    } else if (fault_.empty()) {
      values_ += values.size();
      std::vector<Value>& items = pickle_.containers_[static_cast<std::size_t>(stack_.back().integer)];
      items.insert(items.end(), values.begin(), values.end());
      if (type == Type::dict && items.size() > 2 * kMostKeys) {
        fail(fmt::format("has a dict of more than {} keys, and no snapshot has", kMostKeys));
      }
    }
  }

  bool step_container(unsigned char code) {
    switch (code) {
      case '(': push(whole(Type::mark, 0)); return true;                 // MARK
      case '}': push_container(Type::dict, {}); return true;             // EMPTY_DICT
      case ']': push_container(Type::list, {}); return true;             // EMPTY_LIST
      case ')': push_container(Type::tuple, {}); return true;            // EMPTY_TUPLE
      case 't': push_container(Type::tuple, above_mark()); return true;  // TUPLE
      case 0x85: push_container(Type::tuple, topmost(1)); return true;   // TUPLE1
      case 0x86: push_container(Type::tuple, topmost(2)); return true;   // TUPLE2
      case 0x87: push_container(Type::tuple, topmost(3)); return true;   // TUPLE3
      case 'a': extend(Type::list, topmost(1)); return true;             // APPEND
      case 'e': extend(Type::list, above_mark()); return true;           // APPENDS
      case 's': extend(Type::dict, topmost(2)); return true;             // SETITEM
      case 'u': extend(Type::dict, above_mark()); return true;           // SETITEMS
      default: return false;
    }
  }

  /// Python counts what it keeps, so an index is either known or the next one.
  void put(std::uint64_t index) {
    if (stack_.empty() || index > memo_.size() || index == kMostValues) {
      fail("keeps a value out of turn: it is damaged");
    } else if (index == memo_.size()) {
      memo_.push_back(stack_.back());
    } else {
      memo_[index] = stack_.back();
    }
  }
  void get(std::uint64_t index) {
    if (index >= memo_.size()) {
      fail("asks for a value that was not kept: it is damaged");
    } else {
      push(memo_[index]);
    }
  }
  bool step_memo(unsigned char code) {
    switch (code) {
      case 'q': put(number(1)); return true;      // BINPUT
      case 'r': put(number(4)); return true;      // LONG_BINPUT
      case 0x94: put(memo_.size()); return true;  // MEMOIZE
      case 'h': get(number(1)); return true;      // BINGET
      case 'j': get(number(4)); return true;      // LONG_BINGET
      default: return false;
    }
  }

  Pickle pickle_{};
  std::string_view place_{};
  std::size_t at_{0};
  std::size_t start_{0};
  std::vector<Value> stack_{};
  std::vector<Value> memo_{};
  std::size_t values_{0};  ///< in containers
  bool stopped_{false};
  std::string fault_{};
  std::string remedy_{};
};

base::Result<Pickle> Pickle::read(std::string_view bytes, std::string_view place) {
  return Unpickler(bytes, place).run();
}

std::optional<Pickle::Value> Pickle::member(const Value& dict, std::string_view key) const {
  if (dict.type != Type::dict) {
    return std::nullopt;
  }
  const std::vector<Value>& items = containers_[static_cast<std::size_t>(dict.integer)];
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].type == Type::text && text(items[i]) == key) {
      return items[i + 1];
    }
  }
  return std::nullopt;
}

const std::vector<Pickle::Value>& Pickle::items(const Value& list) const {
  static const std::vector<Value> kNone;
  const bool listed = list.type == Type::list || list.type == Type::tuple;
  return listed ? containers_[static_cast<std::size_t>(list.integer)] : kNone;
}

std::string_view Pickle::text(const Value& value) const {
  return value.type == Type::text ? bytes_.substr(static_cast<std::size_t>(value.integer), value.length)
                                  : std::string_view();
}

}  // namespace vggplan::runs
