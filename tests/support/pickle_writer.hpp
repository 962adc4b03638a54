// SPDX-License-Identifier: MIT
// Pickles as Python writes them (protocol 4, with memo), written by hand from Lib/pickletools.py: the oracle of the
// reader, which shares no code with it.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace vggplan::support {

class PickleWriter {
 public:
  /// The whole file. Texts are written once and asked for again from the memo.
  static std::string dumps(const nlohmann::ordered_json& value) {
    PickleWriter writer;
    writer.out_ = "\x80\x04";
    writer.write(value);
    return writer.out_ + ".";
  }

 private:
  void little(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      out_ += static_cast<char>(value >> (8 * i));
    }
  }
  void memoize() {
    out_ += '\x94';
    ++kept_;
  }
  void write_text(const std::string& text) {
    if (const auto known = texts_.find(text); known != texts_.end()) {
      out_ += 'j';
      little(known->second, 4);
      return;
    }
    if (text.size() < 256) {
      out_ += '\x8c';
      little(text.size(), 1);
    } else {
      out_ += 'X';
      little(text.size(), 4);
    }
    out_ += text;
    texts_[text] = kept_;
    memoize();
  }
  void write_integer(std::int64_t number) {
    if (number >= 0 && number < 256) {
      out_ += 'K';
      little(static_cast<std::uint64_t>(number), 1);
    } else if (number >= 0 && number < 65536) {
      out_ += 'M';
      little(static_cast<std::uint64_t>(number), 2);
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
      out_ += 'J';
      little(static_cast<std::uint64_t>(number), 4);
    } else {
      out_ += "\x8a\x08";
      little(static_cast<std::uint64_t>(number), 8);
    }
  }
  void write(const nlohmann::ordered_json& value) {
    using Type = nlohmann::ordered_json::value_t;
    if (value.type() == Type::object) {
      out_ += '}';
      memoize();
      out_ += '(';
      for (const auto& [key, member] : value.items()) {
        write_text(key);
        write(member);
      }
      out_ += 'u';
    } else if (value.type() == Type::array) {
      out_ += ']';
      memoize();
      out_ += '(';
      for (const auto& item : value) {
        write(item);
      }
      out_ += 'e';
    } else if (value.is_string()) {
      write_text(value.get<std::string>());
    } else if (value.is_boolean()) {
      out_ += value.get<bool>() ? '\x88' : '\x89';
    } else if (value.is_number_float()) {
      out_ += 'G';
      const auto number = value.get<double>();
      std::uint64_t bits = 0;
      std::memcpy(&bits, &number, sizeof(bits));
      for (int i = 7; i >= 0; --i) {
        out_ += static_cast<char>(bits >> (8 * i));
      }
    } else if (value.is_number()) {
      write_integer(value.get<std::int64_t>());
    } else {
      out_ += 'N';
    }
  }

  std::string out_{};
  std::uint64_t kept_{0};
  std::map<std::string, std::uint64_t> texts_{};
};

}  // namespace vggplan::support
