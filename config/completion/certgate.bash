# bash completion for certgate

# Names of files; a directory gets its slash. Words do not: `ca` may be a directory here, too.
_certgate_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$1"))
}

_certgate() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local command=${COMP_WORDS[1]} below=${COMP_WORDS[2]} words
  case $prev in
    -c | --config | --body | --client-cert | --ca | --cert | --key | --csr | --from | --out | --file | \
      --p12-password-file | --root-password-file)
      _certgate_files "$cur"; return ;;
    --method) COMPREPLY=($(compgen -W "GET HEAD POST PUT PATCH DELETE OPTIONS" -- "$cur")); return ;;
    --profile) COMPREPLY=($(compgen -W "mobile iot service server" -- "$cur")); return ;;
    --key-type | --root-key-type)
      COMPREPLY=($(compgen -W "p256 p384 rsa2048 rsa4096 ed25519" -- "$cur")); return ;;
    --reason)
      [ "$command" = ca ] && COMPREPLY=($(compgen -W "unspecified keyCompromise cACompromise
        affiliationChanged superseded cessationOfOperation certificateHold privilegeWithdrawn
        aACompromise" -- "$cur")); return ;;
    --status) COMPREPLY=($(compgen -W "active held revoked expired" -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W "p12 p12-legacy mobileconfig pem" -- "$cur")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="run check explain test rule replay ca reload status deny undeny denies doctor demo --help --version"
  elif [ "$COMP_CWORD" -eq 2 ] && [ "$command" = ca ]; then
    words="init issue sign renew revoke restore list crl hand-out --help"
  elif [ "$COMP_CWORD" -eq 2 ] && [ "$command" = rule ]; then
    words="preview --help"
  else
    case $command in
      run) words="--config --help" ;;
      check) words="--config --at --dump --offline --online --json --help" ;;
      explain) words="--config --url --method --header --body --client-cert --source-ip --json --help" ;;
      test) words="--config --json --help" ;;
      rule) words="--host --path --allow-revoked --json --help" ;;
      replay) words="--config --json --help" ;;
      reload) words="--config --admin --json --help" ;;
      status) words="--config --admin --json --help" ;;
      deny) words="--config --admin --serial --fingerprint --subject --issuer --for --reason --json --help" ;;
      undeny) words="--config --admin --serial --fingerprint --subject --issuer --json --help" ;;
      denies) words="--config --admin --json --help" ;;
      doctor) words="--config --host --ca --cert --key --path --method --json --help" ;;
      demo) words="--address --once --help" ;;
      ca)
        case $below in
          init) words="--name --organization --key-type --root-key-type --root-days --days --crl-days
            --crl-url --root-password-file --permit-dns --permit-uri --permit-email --permit-ip
            --exclude-dns --exclude-uri --exclude-email --exclude-ip" ;;
          issue) words="--name --from --profile --dns --uri --email --ip --unit --days --not-after
            --key-type --p12 --no-p12 --p12-password-file --out" ;;
          sign) words="--name --profile --dns --uri --email --ip --unit --no-requested-names --days
            --not-after --out" ;;
          renew) words="--keep-key --csr --days --not-after --key-type --p12 --no-p12
            --p12-password-file --revoke-old --out" ;;
          revoke) words="--reason --root-password-file" ;;
          list) words="--name --status --expiring-within --all --csv" ;;
          crl) words="--days --if-due --watch --root-password-file" ;;
          hand-out) words="--format --file --address --port --for --pin --no-qr" ;;
        esac
        [ "$below" = hand-out ] || words+=" --json"
        words+=" --help" ;;
    esac
    case $command in
      test | replay | doctor | ca) [[ $cur == -* ]] || { _certgate_files "$cur"; return; } ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _certgate certgate
