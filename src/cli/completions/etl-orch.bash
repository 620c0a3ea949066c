# Completion of etl-orch in bash: it is asked at each TAB. Printed by `etl-orch completions bash`.

_etl_orch() {
    local answer
    COMPREPLY=()
    answer=$(ETL_ORCH_COMPLETE=bash "${1/#\~/"$HOME"}" -- "$COMP_CWORD" "${COMP_TYPE:-9}" "${COLUMNS:-0}" \
        "$2" "${COMP_LINE:0:COMP_POINT}" "${COMP_WORDS[@]}" 2>/dev/null)
    case $? in
        0) [[ -z $answer ]] || mapfile -t COMPREPLY <<<"$answer" ;;
        3) compopt -o default -o filenames 2>/dev/null ;; # a file is to be named
    esac
}

complete -o nosort -F _etl_orch etl-orch 2>/dev/null || complete -F _etl_orch etl-orch
