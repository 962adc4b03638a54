// SPDX-License-Identifier: MIT
// Commands and outputs that documents show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vggplan::test {

/// The arguments of every command of ours in a document. In Markdown these are lines of fenced or indented blocks, and
/// code in a sentence that has no word in capitals to stand for something (a command alone: its --help); elsewhere
/// every line. What follows two
/// spaces or belongs to the shell is cut off. A fence that names a language other than a shell's holds none.
std::vector<std::string> commands_in(std::string_view document, bool markdown);

/// Files of ours that a block starts: "scripts/test".
std::vector<std::string> scripts_in(std::string_view document);

/// A fenced block behind "<!-- output of: vggplan ... -->".
struct ShownOutput {
  std::string arguments{};
  std::string text{};  ///< the beginning of what the command prints
};
std::vector<ShownOutput> outputs_in(std::string_view document);
/// The document with the text of the n-th shown output replaced.
std::string with_output(std::string_view document, std::size_t n, std::string_view text);

}  // namespace vggplan::test
