# The plots of docs/performance.md, from the files in $RESULTS into $PLOTS. The background is left out, and the colours are readable on white
# and on black.

results = system("echo $RESULTS")
plots = system("echo $PLOTS")
set terminal svg size 720,400 dynamic font "sans-serif,13" linewidth 1.4

grey = "#808890"
set border 3 linecolor rgb grey
set tics textcolor rgb grey nomirror
set grid linecolor rgb grey linewidth 0.3
set key left top textcolor rgb grey samplen 2
set title textcolor rgb grey
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set logscale xy
set format x "%.0s%c"
set rmargin 4
set datafile separator "\t"
set style data linespoints

set linetype 1 linecolor rgb "#3b82f6" pointtype 7 pointsize 0.6
set linetype 2 linecolor rgb "#d97706" pointtype 7 pointsize 0.6
set linetype 3 linecolor rgb "#3b82f6" pointtype 6 pointsize 0.6 dashtype 2
set linetype 4 linecolor rgb "#d97706" pointtype 6 pointsize 0.6 dashtype 2
set linetype 5 linecolor rgb "#10a37f" pointtype 6 pointsize 0.6 dashtype 3

# Who did what, in which part, as lines of size and value.
of(part, what, who) = sprintf("< awk -F'\\t' '$1 == \"%s\" && $2 == \"%s\"' '%s/%s.tsv' | sort -n -k 3,3 -t '\t'", what, who, results, part)

set xlabel "rows of available data"
set ylabel "seconds"
set output plots . "/planning.svg"
set title "Finding the gaps"
plot of("gaps", "rows", "ours_sqlite") using 3:4 linetype 1 title "etl-orch, SQLite", \
     of("gaps", "rows", "ours_postgres") using 3:4 linetype 2 title "etl-orch, PostgreSQL", \
     of("gaps", "rows", "sqlite3_asks_with_counts") using 3:4 linetype 3 title "the same questions in sqlite3", \
     of("gaps", "rows", "psql_asks_with_counts") using 3:4 linetype 4 title "the same questions in psql"

set ylabel "peak memory, MiB"
set output plots . "/memory.svg"
set title "Memory while finding the gaps"
set yrange [1:]
plot of("gaps", "rows", "ours_sqlite") using 3:($6 / 1024) linetype 1 title "etl-orch, SQLite", \
     of("gaps", "rows", "ours_postgres") using 3:($6 / 1024) linetype 2 title "etl-orch, PostgreSQL", \
     of("gaps", "rows", "sqlite3_asks_with_counts") using 3:($6 / 1024) linetype 3 title "sqlite3", \
     of("gaps", "rows", "psql_asks_with_counts") using 3:($6 / 1024) linetype 4 title "psql"

set xlabel "jobs that copy a small file, 4 at once"
set ylabel "milliseconds per job"
set output plots . "/jobs.svg"
set title "A whole run, per job"
unset logscale y
set yrange [0:]
set key right top
plot of("jobs", "copies", "ours_sqlite_full") using 3:($4 / $3 * 1000) linetype 1 title "etl-orch, SQLite", \
     of("jobs", "copies", "ours_postgres_full") using 3:($4 / $3 * 1000) linetype 2 title "etl-orch, PostgreSQL", \
     of("jobs", "copies", "floor_full") using 3:($4 / $3 * 1000) linetype 3 title "the floor, SQLite", \
     of("jobs", "copies", "xargs_cp") using 3:($4 / $3 * 1000) linetype 5 title "xargs, without any record"

set xlabel "runs of 60 jobs on record"
set ylabel "milliseconds"
set output plots . "/history.svg"
set title "A run that finds nothing to do, SQLite"
set key left bottom
plot of("history", "idle", "idle") using 3:($4 * 1000) linetype 1 title "etl-orch", \
     15 linetype 5 with lines title "its limit"
