# Completion of etl-orch in Elvish: it is asked at each TAB. Printed by `etl-orch completions elvish`.

set edit:completion:arg-completer[etl-orch] = {|@words|
    try {
        e:env ETL_ORCH_COMPLETE=elvish etl-orch -- (- (count $words) 1) $@words 2>/dev/null
    } catch {
        edit:complete-filename $words[-1] # it ends with 3 where a file is to be named
    }
}
