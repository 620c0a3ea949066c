# Merges the disclosures of a window into those collected before: awk -f merge.awk COLLECTED FILED
# Both are lines of id,filed,member,asset,kind,amount below a line that says so. The result ends with "# end".

BEGIN {
    FS = ","
    header = "id,filed,member,asset,kind,amount"
    start = ENVIRON["COLLECT_START"]
    end = ENVIRON["COLLECT_END"]
}

FILENAME != last { last = FILENAME; line = 0 }
{ line++; sub(/\r$/, "") }
$0 == header || $0 == "# end" || $0 == "" { next }

NF != 6 || $2 !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/ {
    name = FILENAME
    sub(/.*\//, "", name)
    printf "collect: %s:%d: not a disclosure: it needs an id, a date and four more fields\n", name, line | "cat 1>&2"
    failed = 1
    exit 65
}

{ filed = $2 "T00:00:00Z" }
FILENAME == ARGV[2] && (filed < start || filed >= end) { next }
FILENAME == ARGV[2] { collected++ }
{
    if (!($1 in lines)) ids[++count] = $1
    lines[$1] = $0
}

END {
    if (failed) exit 65
    print header
    for (n = 1; n <= count; n++) print lines[ids[n]]
    print "# end"
    printf "Completed: %d transactions from 1 file\n", collected | "cat 1>&3"
}
