# Reads a transcript and cuts it into turns and sentences; shared by the reports.
#
# What a transcript must have: the lines MANAGEMENT DISCUSSION and QUESTION AND ANSWER, and under each of them
# turns, which begin after an empty line with "Name, Title:" (or "Operator:") on a line of its own. A title that
# begins with "Analyst" marks one who asks. Everything above the first of these lines is the title block:
# "Key: value" lines, and a paragraph that begins with "NOTICE:".
#
# What it leaves for the report, all counted from 1:
#   head[key]                              the title block, keys in small letters
#   turns  name[] title[] firm[] kind[] part[] words[]     kind: operator, management, analyst; part: M or Q
#   sents  sent[] of_turn[] norm[]         a sentence, its turn, and the form in which words are looked up
#
# Written for any POSIX awk: no length(array), no gensub, no {n} in expressions.

BEGIN {
    bank = ENVIRON["REPORT_BANK"]
    period = ENVIRON["REPORT_PERIOD"]
    source = ENVIRON["REPORT_SOURCE"]
    sub(/Q/, " Q", period)
    blank = 1
}

{
    line = $0
    gsub(/\t/, " ", line)
    gsub(/[[:cntrl:]]/, "", line) # also the CR of CR LF
    gsub(/^ +| +$/, "", line)
    total_words += count_words(line)
}

line ~ /^MANAGEMENT DISCUSSION( SECTION)?$/ { end_paragraph(); now = "M"; seen_m = 1; at_turn = 0; blank = 1; next }
line ~ /^QUESTIONS? AND ANSWERS?( SECTION)?$/ { end_paragraph(); now = "Q"; seen_q = 1; at_turn = 0; blank = 1; next }
line ~ /^END OF TRANSCRIPT$/ { end_paragraph(); now = "end"; next }
now == "end" { next }

now == "" {
    if (line == "") in_notice = 0
    else if (line ~ /^NOTICE:/) { in_notice = 1; head["notice"] = line }
    else if (in_notice) head["notice"] = head["notice"] " " line
    else if (line ~ /^[A-Z][A-Za-z ]*: *[^ ]/) {
        at = index(line, ":")
        value = substr(line, at + 1)
        sub(/^ +/, "", value)
        head[tolower(substr(line, 1, at - 1))] = value
    }
    next
}

line == "" { end_paragraph(); blank = 1; next }

blank && is_speaker(line) { begin_turn(line); blank = 0; next }

{
    paragraph = paragraph (paragraph == "" ? "" : " ") line
    blank = 0
}

function is_speaker(text) {
    if (text == "Operator:") return 1
    return length(text) <= 120 && text ~ /^[A-Z][A-Za-z.'-]*( [A-Za-z.'-]+)+, [A-Z][^?!]*:$/
}

function begin_turn(text,    at) {
    turns++
    at_turn = turns
    part[turns] = now
    sub(/:$/, "", text)
    at = index(text, ", ")
    name[turns] = at ? substr(text, 1, at - 1) : text
    title[turns] = at ? substr(text, at + 2) : ""
    if (text == "Operator") kind[turns] = "operator"
    else if (title[turns] ~ /^Analyst/) {
        kind[turns] = "analyst"
        firm[turns] = title[turns]
        sub(/^Analyst(,| at| -)? */, "", firm[turns])
    } else kind[turns] = "management"
    if (kind[turns] != "operator") {
        if (!(name[turns] in known)) { known[name[turns]] = 1; person[++people] = name[turns]; first_turn[people] = turns }
    }
}

function end_paragraph() {
    if (paragraph != "" && at_turn) split_sentences(paragraph, at_turn)
    paragraph = ""
}

# A sentence ends at . ? or ! before a space and a capital, a digit, "$" or a quote, unless the dot belongs to
# an abbreviation or an initial. "U.S." ends one only before a word that rarely follows it inside a sentence.
function split_sentences(text, turn,    scratch, rest, piece, at, last, after) {
    words[turn] += split(text, scratch, " ")
    rest = text
    piece = ""
    while (match(rest, /[.?!]["')]* +/)) {
        at = RSTART + RLENGTH
        piece = piece substr(rest, 1, at - 1)
        after = substr(rest, at)
        rest = after
        last = piece
        sub(/ +$/, "", last)
        sub(/^.* /, "", last)
        if (after !~ /^["'(]?[A-Z0-9$]/) continue
        if (last ~ /^["'(]?([A-Z]|Mr|Mrs|Ms|Dr|Inc|Co|Corp|Ltd|No|St|vs|approx|e\.g|i\.e)\.$/) continue
        if (last ~ /^["'(]?([A-Z]\.)+$/ && after !~ /^(We|The|Our|In|I|It|That|This|And|But|So|What|How|When|Do|Is|Are|Can|For|They|If) /) continue
        add_sentence(piece, turn)
        piece = ""
    }
    add_sentence(piece rest, turn)
}

function add_sentence(text, turn) {
    gsub(/^ +| +$/, "", text)
    if (text == "") return
    sents++
    sent[sents] = text
    of_turn[sents] = turn
    norm[sents] = normal(text)
}

# The form in which words are looked up: small letters between single spaces. Phrases that hold the words of
# another subject are glued together, so that "capital markets" does not speak of capital.
function normal(text) {
    text = " " tolower(text) " "
    gsub(/u\.s\./, "us", text)
    gsub(/'s /, " ", text)
    gsub(/[^a-z0-9%$]+/, " ", text)
    gsub(/ capital markets /, " capitalmarkets ", text)
    gsub(/ commercial real estate /, " commercialrealestate ", text)
    gsub(/ artificial intelligence /, " artificialintelligence ", text)
    gsub(/ private credit /, " privatecredit ", text)
    gsub(/ net new assets /, " netnewassets ", text)
    gsub(/ stress test /, " stresstest ", text)
    gsub(/ working capital /, " workingcapital ", text)
    gsub(/ credit cards? /, " card ", text)
    return text
}

# The weight of a topic in a text: terms are "word:weight" between "|"; a "*" ends a term that may go on.
# A term counts at most twice.
function weigh(text, terms,    list, n, i, at, term, weight, rest, hits, sum) {
    n = split(terms, list, "|")
    sum = 0
    for (i = 1; i <= n; i++) {
        at = index(list[i], ":")
        term = substr(list[i], 1, at - 1)
        weight = substr(list[i], at + 1) + 0
        if (term ~ /\*$/) term = " " substr(term, 1, length(term) - 1)
        else term = " " term " "
        rest = text
        for (hits = 0; hits < 2 && (at = index(rest, term)) > 0; hits++)
            rest = substr(rest, at + length(term) - 1)
        sum += hits * weight
    }
    return sum
}

function count_words(text,    scrap) { return split(text, scrap, " ") }

# Does a sentence lean on the one before it?
function leans(text) {
    return text ~ /^(That|This|It|They|These|Those|Its|Their|Them|And|But|Half|Most|Both|Roughly|About|Fewer|The rest|The remaining|The other|The savings|The same|The answer|The first|The second|The trades|Of (the|these|those|this|that|which)|Of it|Each|So|Yes|No|One|Two|Some|We count it|We keep it)[ ,]/
}

# The sentence, with the one before it when it cannot be understood alone.
function whole(i) {
    if (leans(sent[i]) && i > 1 && of_turn[i - 1] == of_turn[i] && sent[i - 1] !~ /\?$/ && count_words(sent[i - 1]) <= 45)
        return sent[i - 1] " " sent[i]
    return sent[i]
}

function role(text) {
    if (text ~ /Chief Executive/) return "CEO"
    if (text ~ /Chief Financial/) return "CFO"
    if (text ~ /Chief Risk/) return "CRO"
    return text
}

function said_by(turn) { return name[turn] (title[turn] == "" ? "" : ", " role(title[turn])) }

# Text of the transcript as Markdown, so that nothing in it is taken for markup or breaks a table. (By
# character: the awks disagree about backslashes in the replacement of gsub.)
function md(text,    i, n, c, out) {
    n = length(text)
    out = ""
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        if (c == "<") out = out "&lt;"
        else if (index("\\`*_|[]", c)) out = out "\\" c
        else out = out c
    }
    return out
}

function plural(n, one, many) { return grouped(n) " " (n == 1 ? one : many) }

function grouped(n,    text, out) {
    text = n ""
    out = ""
    while (length(text) > 3) {
        out = "," substr(text, length(text) - 2) out
        text = substr(text, 1, length(text) - 3)
    }
    return text out
}

function percent(a, b) { return b ? int(100 * a / b + 0.5) "%" : "0%" }

function tell(text) { print text | "cat 1>&3" }

# Stages of the work, for etl-orch: one message in the shape of the Airbyte protocol for each. Run by hand, nobody reads them.
function begin_stage(name) { at_stage = name; say_stage("STARTED") }

# A stage has done its work: so many records read and written ("" where that means nothing), or
# further counts instead of those written: "\"analysts\":3".
function end_stage(read, written, more,    stats) {
    if (read != "") stats = ",\"sourceStats\":{\"recordCount\":" read "}"
    if (written != "") stats = stats ",\"destinationStats\":{\"recordCount\":" written "}"
    if (more != "") stats = stats ",\"destinationStats\":{\"additionalStats\":{" more "}}"
    say("\"STATE\",\"state\":{\"type\":\"STREAM\",\"stream\":{\"stream_descriptor\":{\"name\":\"" at_stage "\"}}" stats "}")
    say_stage("COMPLETE")
    at_stage = ""
}

function say_stage(status) {
    say("\"TRACE\",\"trace\":{\"type\":\"STREAM_STATUS\",\"stream_status\":{\"stream_descriptor\":{\"name\":\"" at_stage "\"},\"status\":\"" status "\"}}")
}

# Each message at once, so that its time is right.
function say(message) {
    if (ENVIRON["ETL_ORCH_JOB_ID"] == "") return
    print "{\"type\":" message "}" | "cat 1>&3"
    close("cat 1>&3")
}

function malformed(text) {
    print source ": " text | "cat 1>&2"
    close("cat 1>&2")
    if (at_stage != "") say_stage("INCOMPLETE")
    failed = 1
    exit 65
}

# To be called first in END: ends the input and refuses what is no transcript.
function check_transcript(    missing, i, m, q, theirs) {
    end_paragraph()
    if (!seen_m) missing = "MANAGEMENT DISCUSSION"
    if (!seen_q) missing = missing (missing == "" ? "" : " and ") "QUESTION AND ANSWER"
    if (missing != "") malformed("not a transcript as expected: no section " missing)
    theirs = head["fiscal period"]
    if (theirs ~ /^[Qq][1-4] *[0-9][0-9][0-9][0-9]$/) theirs = substr(theirs, length(theirs) - 3) substr(theirs, 1, 2)
    gsub(/[ -]/, "", theirs)
    theirs = toupper(theirs)
    sub(/Q/, " Q", theirs)
    if (theirs != "" && theirs != period) malformed("the transcript is of " theirs ", not of " period)
    for (i = 1; i <= turns; i++) {
        if (kind[i] == "management" && part[i] == "M") m++
        if (kind[i] == "analyst" && part[i] == "Q") q++
    }
    if (!m) malformed("no speaker under MANAGEMENT DISCUSSION (expected lines such as \"Jane Doe, Chief Financial Officer:\")")
    questioners = q + 0
}

function heading(what) {
    print "# " md(bank) ", " period ": " what
    print ""
    if (head["bank"] != "" && head["bank"] != bank) { print "The transcript names the bank \"" md(head["bank"]) "\"."; print "" }
    if (head["notice"] != "") { print "> " md(head["notice"]); print "" }
}

# The last line of a report: report.sh looks for it.
function footer(report) {
    print "---"
    print ""
    print "*Made by " report " from " md(source) " (" grouped(total_words) " words).*"
}
