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
complete -c certgate -n "__fish_seen_subcommand_from explain" -l client-cert -r
complete -c certgate -n "__fish_seen_subcommand_from explain" -l source-ip -x
complete -c certgate -n "__fish_seen_subcommand_from check explain test rule replay reload status deny undeny denies doctor" -l json
complete -c certgate -n "__fish_seen_subcommand_from reload status deny undeny denies" -l admin -x
complete -c certgate -n "__fish_seen_subcommand_from rule" -f -a preview
complete -c certgate -n "__fish_seen_subcommand_from rule" -l host -x
complete -c certgate -n "__fish_seen_subcommand_from rule" -l path -x
complete -c certgate -n "__fish_seen_subcommand_from doctor" -l host -x
complete -c certgate -n "__fish_seen_subcommand_from demo" -l once
complete -c certgate -n "__fish_seen_subcommand_from ca; and not __fish_seen_subcommand_from hand-out" -l json
complete -c certgate -n "__fish_seen_subcommand_from ca" -f -a "init issue sign renew revoke restore list crl hand-out"
