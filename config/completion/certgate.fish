# fish completion for certgate
set -l commands run check explain test rule replay ca reload status deny undeny denies doctor demo
complete -c certgate -f -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c certgate -l help -d 'How to use it'
complete -c certgate -n "__fish_seen_subcommand_from run check explain test replay reload status deny undeny denies doctor" -s c -l config -r -d 'The configuration file'
complete -c certgate -n "__fish_seen_subcommand_from check" -l at -x -d 'Judge as on that day'
complete -c certgate -n "__fish_seen_subcommand_from check" -l dump -d 'Print every setting'
complete -c certgate -n "__fish_seen_subcommand_from check" -l offline -d 'Do not connect to origins'
complete -c certgate -n "__fish_seen_subcommand_from check" -l online -d 'Fetch the CRLs of all addresses'
complete -c certgate -n "__fish_seen_subcommand_from explain" -l url -x
complete -c certgate -n "__fish_seen_subcommand_from explain" -l method -x -a "GET HEAD POST PUT PATCH DELETE"
complete -c certgate -n "__fish_seen_subcommand_from explain" -l header -x
complete -c certgate -n "__fish_seen_subcommand_from explain" -l body -r
complete -c certgate -n "__fish_seen_subcommand_from explain" -l client-cert -r
complete -c certgate -n "__fish_seen_subcommand_from explain" -l source-ip -x
complete -c certgate -n "__fish_seen_subcommand_from check explain test rule replay reload status deny undeny denies doctor" -l json
complete -c certgate -n "__fish_seen_subcommand_from reload status deny undeny denies" -l admin -x
complete -c certgate -n "__fish_seen_subcommand_from rule" -f -a preview
complete -c certgate -n "__fish_seen_subcommand_from rule" -l host -x
complete -c certgate -n "__fish_seen_subcommand_from rule" -l path -x
complete -c certgate -n "__fish_seen_subcommand_from doctor" -l host -x
complete -c certgate -n "__fish_seen_subcommand_from demo" -l once

# certgate ca
set -l ca_commands init issue sign renew revoke restore list crl hand-out
complete -c certgate -f -n "__fish_seen_subcommand_from ca; and not __fish_seen_subcommand_from $ca_commands" -a "$ca_commands"
function __certgate_ca
    set -l words (commandline -opc)
    test (count $words) -ge 3; and test $words[2] = ca; and contains -- $words[3] $argv
end
set -l key_types "p256 p384 rsa2048 rsa4096 ed25519"
complete -c certgate -n "__certgate_ca init issue sign renew revoke restore list crl" -l json
complete -c certgate -n "__certgate_ca init issue sign list" -l name -x
for option in organization root-days crl-days crl-url permit-dns permit-uri permit-email permit-ip \
    exclude-dns exclude-uri exclude-email exclude-ip
    complete -c certgate -n "__certgate_ca init" -l $option -x
end
complete -c certgate -n "__certgate_ca init" -l root-key-type -x -a "$key_types"
complete -c certgate -n "__certgate_ca init issue renew" -l key-type -x -a "$key_types"
complete -c certgate -n "__certgate_ca init revoke crl" -l root-password-file -r
complete -c certgate -n "__certgate_ca init issue sign renew crl" -l days -x
complete -c certgate -n "__certgate_ca issue" -l from -r -d 'A CSV file with one certificate a line'
complete -c certgate -n "__certgate_ca issue sign" -l profile -x -a "mobile iot service server"
for option in dns uri email ip unit
    complete -c certgate -n "__certgate_ca issue sign" -l $option -x
end
complete -c certgate -n "__certgate_ca issue sign renew" -l not-after -x
complete -c certgate -n "__certgate_ca issue sign renew" -l out -r
complete -c certgate -n "__certgate_ca issue renew" -l p12
complete -c certgate -n "__certgate_ca issue renew" -l no-p12
complete -c certgate -n "__certgate_ca issue renew" -l p12-password-file -r
complete -c certgate -n "__certgate_ca sign" -l no-requested-names
complete -c certgate -n "__certgate_ca renew" -l keep-key
complete -c certgate -n "__certgate_ca renew" -l csr -r
complete -c certgate -n "__certgate_ca renew" -l revoke-old
complete -c certgate -n "__certgate_ca revoke" -l reason -x -a "unspecified keyCompromise cACompromise affiliationChanged superseded cessationOfOperation certificateHold privilegeWithdrawn aACompromise"
complete -c certgate -n "__certgate_ca list" -l status -x -a "active held revoked expired"
complete -c certgate -n "__certgate_ca list" -l expiring-within -x
complete -c certgate -n "__certgate_ca list" -l all
complete -c certgate -n "__certgate_ca list" -l csv
complete -c certgate -n "__certgate_ca crl" -l if-due
complete -c certgate -n "__certgate_ca crl" -l watch
complete -c certgate -n "__certgate_ca hand-out" -l format -x -a "p12 p12-legacy mobileconfig pem"
complete -c certgate -n "__certgate_ca hand-out" -l file -r
for option in address port for
    complete -c certgate -n "__certgate_ca hand-out" -l $option -x
end
complete -c certgate -n "__certgate_ca hand-out" -l pin
complete -c certgate -n "__certgate_ca hand-out" -l no-qr
