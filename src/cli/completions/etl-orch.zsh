#compdef etl-orch
# Completion of etl-orch in zsh: it is asked at each TAB. Printed by `etl-orch completions zsh`.

_etl-orch() {
    local answer
    local -a typed=("${words[@]}") offers
    typed[CURRENT]=$PREFIX
    answer=$(ETL_ORCH_COMPLETE=zsh ${words[1]/#\~/$HOME} -- $((CURRENT - 1)) "${typed[@]}" 2>/dev/null)
    case $? in
        0)
            [[ -n $answer ]] || return 1
            offers=("${(@f)answer}")
            _describe -V value offers
            ;;
        3) # a file is to be named
            compset -P '--*='
            _files
            ;;
    esac
}

# The file is loaded at the first TAB, which is to complete something already.
if [[ $funcstack[1] == _etl-orch ]]; then
    _etl-orch "$@"
else
    compdef _etl-orch etl-orch
fi
