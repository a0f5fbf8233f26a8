# What is installed where, and the Debian package. The program's default configuration is
# /etc/certgate/certgate.yaml whatever the prefix: install elsewhere with DESTDIR.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # tests need not be built to install

install(TARGETS certgate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/man/certgate.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES config/systemd/certgate.service config/systemd/certgate-ca-crl.service
              config/systemd/certgate-ca-crl.timer DESTINATION lib/systemd/system)
install(FILES config/systemd/certgate.sysusers DESTINATION lib/sysusers.d RENAME certgate.conf)
install(FILES config/completion/certgate.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME certgate)
install(FILES config/completion/_certgate
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES config/completion/certgate.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs PATTERN man EXCLUDE)
install(DIRECTORY config/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
# An edited configuration is not overwritten.
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}/etc/certgate/certgate.yaml\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/config/certgate.yaml\" DESTINATION /etc/certgate)
  endif()")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME certgate)
set(CPACK_PACKAGE_CONTACT "certgate maintainers <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION
"Ends TLS in front of an HTTP API, identifies each client by its certificate,
decides each request with rules in Cloudflare's Rules language, and forwards
what is allowed. A revoked certificate stops working on its very next request.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | adduser")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(debian ${CMAKE_SOURCE_DIR}/config/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
include(CPack)
