# SPDX-License-Identifier: MIT
# cmake --install, and with CPack a Debian package (cpack --config build/release/CPackConfig.cmake).
install(TARGETS vggplan RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Examples that the documents point to.
install(DIRECTORY configs/jobs DESTINATION ${CMAKE_INSTALL_DOCDIR}/configs)
install(FILES configs/budgets/example.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/configs/budgets)

# Debian wants one file of this name with the licences of all that is inside.
file(READ LICENSE licence)
file(READ THIRD-PARTY.md others)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/copyright CONTENT "@licence@\n\n@others@" @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

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
  # Where Debian's zsh looks for what comes in packages, and where all look for what is installed by hand.
  install(CODE "
    set(folder site-functions)
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\" AND EXISTS /etc/debian_version)
      set(folder vendor-completions)
    endif()
    file(INSTALL \"${written}/_vggplan\"
         DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\")")
  install(FILES ${written}/vggplan.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "vggplan contributors")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # what is not linked in
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "GPU memory and time of the training of VGG networks")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Tells how much GPU memory and time the training of VGG16 with PyTorch takes at
any image size, which GPUs and settings to choose, and why. Neither a GPU nor
PyTorch is needed.")
include(CPack)
