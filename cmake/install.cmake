# SPDX-License-Identifier: MIT
install(TARGETS vggplan RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The program writes its own manual page and completions, from its table of flags.
if(NOT CMAKE_CROSSCOMPILING)
  set(written ${PROJECT_BINARY_DIR}/written)
  install(CODE "
    file(MAKE_DIRECTORY \"${written}\")
    function(write file)
      execute_process(COMMAND \"$<TARGET_FILE:vggplan>\" \${ARGN} OUTPUT_FILE \"${written}/\${file}\"
                      COMMAND_ERROR_IS_FATAL ANY)
    endfunction()
    write(vggplan.1 man)
    write(vggplan completion bash)
    write(_vggplan completion zsh)
    write(vggplan.fish completion fish)")
  install(FILES ${written}/vggplan.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${written}/vggplan DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${written}/_vggplan DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${written}/vggplan.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
