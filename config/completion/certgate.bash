# bash completion for certgate
_certgate() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local command=${COMP_WORDS[1]} words
  case $prev in
    -c | --config | --client-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --method) COMPREPLY=($(compgen -W "GET HEAD POST PUT PATCH DELETE OPTIONS" -- "$cur")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="run check explain test rule replay ca reload status deny undeny denies doctor demo --help --version"
  else
    case $command in
      run) words="--config --help" ;;
      check) words="--config --at --dump --offline --json --help" ;;
      explain) words="--config --url --method --header --client-cert --source-ip --json --help" ;;
      test) words="--config --json --help" ;;
      rule) words="preview --host --path --allow-revoked --json --help" ;;
      replay) words="--config --json --help" ;;
      reload) words="--config --admin --json --help" ;;
      status) words="--config --admin --json --help" ;;
      deny) words="--config --admin --serial --fingerprint --subject --issuer --for --reason --json --help" ;;
      undeny) words="--config --admin --serial --fingerprint --subject --issuer --json --help" ;;
      denies) words="--config --admin --json --help" ;;
      doctor) words="--config --host --ca --cert --key --path --method --json --help" ;;
      demo) words="--address --once --help" ;;
      ca)
        if [ "$COMP_CWORD" -eq 2 ]; then
          words="init issue sign renew revoke restore list crl hand-out --help"
        else
          local names="--dns --uri --email --ip --unit --days --not-after --out --json --help"
          case ${COMP_WORDS[2]} in
            init) words="--name --organization --key-type --root-key-type --root-days --days --crl-days --crl-url --root-password-file --permit-dns --permit-uri --permit-email --permit-ip --exclude-dns --exclude-uri --exclude-email --exclude-ip --json --help" ;;
            issue) words="--name --from --profile --key-type --p12 --no-p12 --p12-password-file $names" ;;
            sign) words="--name --profile --no-requested-names $names" ;;
            renew) words="--csr --keep-key --key-type --revoke-old --p12 --no-p12 --p12-password-file --days --not-after --out --json --help" ;;
            revoke) words="--reason --root-password-file --json --help" ;;
            restore) words="--json --help" ;;
            list) words="--all --name --status --expiring-within --json --csv --help" ;;
            crl) words="--days --if-due --watch --root-password-file --json --help" ;;
            hand-out) words="--file --format --for --address --port --pin --no-qr --help" ;;
          esac
        fi
        ;;
    esac
  fi
  case $cur in
    -*) ;;
    *) [ "$COMP_CWORD" -gt 1 ] && COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
  COMPREPLY+=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _certgate certgate
