# Completion of etl-orch in fish: it is asked at each TAB. Printed by `etl-orch completions fish`.

function __etl_orch_complete
    set -l before (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $before[1])
    set -l current (commandline -ct)
    set -l answer (ETL_ORCH_COMPLETE=fish $program -- (count $before) $before "$current" (commandline -op) 2>/dev/null)
    switch $status
        case 0
            string join \n -- $answer
        case 3 # a file is to be named
            set -l option (string match -r '^--[^=]*=' -- $current)
            __fish_complete_path (string replace -- "$option" '' $current) | string replace -r '^' -- "$option"
    end
end

complete --command etl-orch --no-files --keep-order --arguments '(__etl_orch_complete)'
