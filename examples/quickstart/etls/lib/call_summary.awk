# The report "Call Summary": headline, figures, guidance, sensitivities, management's points, who spoke.
# Runs after transcript.awk, which reads the transcript.

BEGIN {
    # Topics, in the order of the report. Terms: see weigh().
    topic_count = 0
    topic("Earnings, revenue and net interest income", \
        "earnings:2|earned:2|pre provision:3|before provisions:3|net interest income:3|net interest margin:3|margin:2|revenue*:2|rate cut*:2|rates:1|repric*:2|reinvest*:2|yield*:1|noninterest revenue:3|fees:1|swaps:2|mix:1")
    topic("Credit quality", \
        "provision*:3|pre provision:-3|before provisions:-3|impaired:3|allowance:4|performing:2|reserve*:2|charge off*:3|charge offs:1|delinquenc*:3|credit losses:3|credit:1|card net charge off rate:4|watch list:2|overlay:2|insolvenc*:2|losses:1|unemployment:2|formations:2|charged off:2|recession:1|write down:3|real estate:2|office:2")
    topic("Capital and shareholder returns", \
        "capital:2|common equity tier 1:4|cet1:4|buy back*:3|bought back:3|repurchas*:3|dividend*:3|risk weighted:3|return on equity:2|return on tangible:2|shares:1|stock:1|shareholders:1|acquisition:1")
    topic("Expenses and technology", \
        "expense*:3|cost savings:3|savings:1|severance:3|restructuring:3|efficiency ratio:2|operating leverage:3|headcount:2|workforce:3|compensation:1|technology:2|artificialintelligence:3|hiring:2|charges of:2|save:2|systems:2|tax rate:3|branches:1|program:1")
    topic("Loans and deposits", \
        "loans:2|loan:2|loan growth:2|deposit*:2|mortgage*:3|balances:2|balance sheet:1|lending:2|borrow*:1|term deposits:1|checking:2|utilization:2")
    topic("Business segments", \
        "wealth:3|asset wealth management:3|capitalmarkets:3|equities:2|investment banking fees:4|advisory:3|underwriting:3|alternatives:4|mandates:3|mergers:3|trading:3|pipeline:3|backlog:3|insurance:2|cards:1|consumer lending:3|us retail:2|us banking:2|us bank:3|international banking:3|mexico:3|branches:2|california:3|net inflows:2|netnewassets:3|funds:1|fees:1|financing:1|brokerage:2|stablecoins:4|card partnership:3|clients:1|strategic review:3|prospectus:1")
    SEGMENTS = topic_count
    topic("Economy and trade", \
        "tariff*:4|trade:3|economy:3|unemployment:1|inflation:2|recession:2|deficit*:3|policy:2|uncertain*:2|spending:2|housing:2|scenario*:1|forecast recessions:3|slowdown:3|supply chain:3|consumers:2")
    OTHER = topic_count + 1
    topic("Other", "")

    # The topic of a sentence that gives a figure of the bank as a whole, by the group of the metric.
    split("1 1 4 2 3 5 6 6", topic_of_group, " ")

    # Figures: what is looked for, longest first among those that overlap, the kinds of value it may have
    # (M money, E money a share, P per cent, B basis points, N shares), and the group in which it is listed.
    # "weak" words count only before "was", "were", "rose" and the like.
    metric("net income", "M", "Net income", 1)
    metric("diluted earnings per share", "E", "Earnings per share", 1)
    metric("earnings per share", "E", "Earnings per share", 1)
    metric("return on tangible common equity", "P", "Return on tangible common equity", 1)
    metric("return on equity", "P", "Return on equity", 1)
    metric("net revenues", "M", "Revenue", 2)
    metric("total revenue", "M", "Revenue", 2)
    metric("noninterest revenue", "M", "Noninterest revenue", 2)
    metric("non-interest revenue", "M", "Noninterest revenue", 2)
    metric("ficc revenue", "M", "FICC revenue", 8)
    metric("equities revenue", "M", "Equities revenue", 8)
    metric("revenue", "M", "Revenue", 2)
    metric("net interest income", "M", "Net interest income", 2)
    metric("net interest margin", "P", "Net interest margin", 2)
    metric("non-interest expenses", "M", "Expenses", 3)
    metric("noninterest expenses", "M", "Expenses", 3)
    metric("operating expenses", "M", "Expenses", 3)
    metric("expenses", "M", "Expenses", 3, "weak")
    metric("efficiency ratio", "P", "Efficiency ratio", 3)
    metric("productivity ratio", "P", "Productivity ratio", 3)
    metric("compensation ratio", "P", "Compensation ratio", 3)
    metric("operating leverage", "P", "Operating leverage", 3)
    metric("total provisions for credit losses", "MB", "Provisions for credit losses", 4)
    metric("provisions for credit losses", "MB", "Provisions for credit losses", 4)
    metric("provision for credit losses", "MB", "Provisions for credit losses", 4)
    metric("provisions on impaired loans", "MB", "Provisions on impaired loans", 4)
    metric("impaired provisions", "MB", "Provisions on impaired loans", 4)
    metric("provisions on performing loans", "MB", "Provisions on performing loans", 4)
    metric("performing provisions", "MB", "Provisions on performing loans", 4)
    metric("performing provision", "MB", "Provisions on performing loans", 4)
    metric("card net charge-off rate", "P", "Card net charge-off rate", 4)
    metric("net charge-off rate", "P", "Net charge-off rate", 4)
    metric("net charge-offs", "MB", "Net charge-offs", 4)
    metric("delinquency rate on cards", "P", "Card delinquency rate", 4)
    metric("gross impaired loans", "MB", "Gross impaired loans", 4)
    metric("common equity tier 1 ratio", "P", "CET1 ratio", 5)
    metric("cet1 ratio", "P", "CET1 ratio", 5)
    metric("share repurchases", "MN", "Share buy-backs", 5)
    metric("repurchased", "MN", "Share buy-backs", 5)
    metric("bought back", "MN", "Share buy-backs", 5)
    metric("dividend", "E", "Dividend per share", 5)
    metric("average loans", "M", "Average loans", 6)
    metric("total loans", "M", "Total loans", 6)
    metric("loan portfolio", "M", "Loans", 6, "weak")
    metric("average deposits", "M", "Average deposits", 6)
    metric("total deposits", "M", "Total deposits", 6)
    metric("deposits", "M", "Deposits", 6, "weak")
    metric("assets under management", "M", "Assets under management", 7)
    metric("assets under supervision", "M", "Assets under supervision", 7)
    metric("assets under administration", "M", "Assets under administration", 7)
    metric("long-term net inflows", "M", "Long-term net inflows", 7)
    metric("net new assets", "M", "Net new assets", 7)
    metric("investment banking fees", "M", "Investment banking fees", 8)
    metric("advisory fees", "M", "Advisory fees", 8)
    metric("equity underwriting", "M", "Equity underwriting", 8)
    metric("debt underwriting", "M", "Debt underwriting", 8)
    metric("management and other fees", "M", "Management and other fees", 8)
    group_count = 9 # 9: the segments, whose metrics are of any kind

    MONEY = "[$][0-9][0-9,]*([.][0-9]+)?( (trillion|billion|million))?"
    VALUE = MONEY "|[0-9]+([.][0-9]+)?%|[0-9]+([.][0-9]+)? basis points|[0-9]+ cents|[0-9]+([.][0-9]+)? (million|billion) shares"
    RISE = "up|rose|rises|grew|grow|increased|improved|expanded|widened|higher|rise of|growth of|increase of"
    FALL = "down|fell|declined|decreased|narrowed|compressed|lower|decline of|decrease of|fall of"
}

function topic(label, terms) { topic_name[++topic_count] = label; topic_terms[topic_count] = terms }

function metric(phrase, kinds, label, group, strength) {
    m_phrase[++metrics] = phrase
    m_kinds[metrics] = kinds
    m_label[metrics] = label
    m_group[metrics] = group
    m_weak[metrics] = (strength == "weak")
}

END {
    if (failed) exit 65
    check_transcript()
    sort_sentences()
    heading("call summary")
    print_headline()
    print_figures()
    print_guidance()
    print_sensitivities()
    print_points()
    print_speakers()
    footer("call_summary")
    tell("read " plural(total_words, "word", "words") " by " plural(people, "speaker", "speakers") "; wrote " \
        plural(figures, "figure", "figures") ", " plural(guided, "guidance statement", "guidance statements") " and " \
        plural(pointed, "point", "points"))
}

# Every sentence of management is guidance, a sensitivity, or neither; what is neither and was said in the
# prepared remarks is searched for figures and may become a point.
function sort_sentences(    i, t) {
    for (i = 1; i <= sents; i++) {
        t = of_turn[i]
        if (kind[t] != "management") continue
        if (sent[i] ~ /comparisons? .*(year ago|last year|prior year|year earlier)/) base_of[name[t]] = "year"
        best_topic[i] = topic_of(norm[i])
        weight_of[i] = topic_weight
        if (is_guidance(i)) { is_guided[i] = 1; guided++ }
        else if (is_sensitivity(i)) is_sensitive[i] = 1
        if ((is_guided[i] || is_sensitive[i]) && part[t] == "Q" && weight_of[i] < 4) {
            # It says too little of its subject: let the question help.
            best_topic[i] = topic_of(norm[i] norm[i] question_before(t))
        }
        if (!best_topic[i]) best_topic[i] = OTHER
        if (part[t] == "M" && !is_guided[i]) had_figure[i] = find_figures(i)
    }
}

# The words of the question that a turn of management answers.
function question_before(t,    i, out) {
    for (t--; t > 0 && kind[t] == "management" && part[t] == "Q"; t--) ;
    out = ""
    if (t > 0 && kind[t] == "analyst") for (i = 1; i <= sents; i++) if (of_turn[i] == t) out = out norm[i]
    return out
}

function topic_of(text,    k, w, best, at) {
    best = 0
    at = 0
    for (k = 1; k <= topic_count; k++) {
        w = weigh(text, topic_terms[k])
        if (w > best) { best = w; at = k }
    }
    topic_weight = best
    return at
}

function is_guidance(i,    text) {
    text = norm[i]
    if (sent[i] ~ /\?$/) return 0
    if (text ~ / (please|thank you|look forward|goodbye|go ahead|congratulations) /) return 0
    if (text ~ / (i|we) will (be short|answer|speak|see|start|begin|take|now take|come back) / && text !~ / (expect|intend|plan to) /) return 0
    if (text ~ / would / && text !~ / we (now |still |continue to )?(expect|intend|plan) /) return 0
    if (text ~ / (expect|expects|anticipate|anticipates|intend|intends|plan to|plans to|aim to|targeting|promise) /) return weight_of[i] > 0 || text ~ /[0-9]/
    if (text ~ / (we|i) will /) return weight_of[i] > 0 || text ~ /[0-9]/
    if (text ~ / will / && text ~ /[0-9]/) return 1
    if (text ~ / guidance / && text ~ /[0-9]/) return 1
    return 0
}

function is_sensitivity(i,    text) {
    text = norm[i]
    if (text !~ /[0-9]/ || sent[i] ~ /\?$/) return 0
    if (text ~ / would / && text !~ / would (otherwise|prefer|rather|like) / && text ~ / (if|in our|with|would need|cover|above|below) /) return 1
    return text ~ / (each|every) (further |additional )?([0-9]+ |one )?(basis points|point|tenth|percentage point|year)/ || text ~ / costs us /
}

# ---------------------------------------------------------------------------------------------- figures

function find_figures(i,    text, low, k, at, from, len, n, j, used, rest, found, tail, before, start, stop, order, tmp) {
    text = sent[i]
    low = tolower(text)
    n = 0
    split("", used)
    for (k = 1; k <= metrics; k++) {
        len = length(m_phrase[k])
        from = 1
        while ((at = index(substr(low, from), m_phrase[k])) > 0) {
            at += from - 1
            from = at + len
            if (at > 1 && substr(low, at - 1, 1) ~ /[a-z-]/) continue
            if (substr(low, at + len, 1) ~ /[a-z-]/) continue
            if (at in used) continue
            tail = substr(low, at + len)
            if (m_weak[k] && tail !~ /^ (was|were|rose|fell|grew|are|is|stood) /) continue
            for (j = at; j < at + len; j++) used[j] = 1
            n++
            hit_at[n] = at
            hit_metric[n] = k
        }
    }
    for (k = 2; k <= n; k++)
        for (j = k; j > 1 && hit_at[j - 1] > hit_at[j]; j--) {
            tmp = hit_at[j]; hit_at[j] = hit_at[j - 1]; hit_at[j - 1] = tmp
            tmp = hit_metric[j]; hit_metric[j] = hit_metric[j - 1]; hit_metric[j - 1] = tmp
        }
    found = 0
    for (k = 1; k <= n; k++) {
        start = hit_at[k] + length(m_phrase[hit_metric[k]])
        stop = k < n ? hit_at[k + 1] - 1 : length(text)
        before = substr(text, k > 1 ? hit_at[k - 1] + length(m_phrase[hit_metric[k - 1]]) : 1, \
            hit_at[k] - (k > 1 ? hit_at[k - 1] + length(m_phrase[hit_metric[k - 1]]) : 1))
        found += read_figure(i, hit_metric[k], before, substr(text, start, stop - start + 1))
    }
    return found
}

# One metric: what stands before it in its sentence and what follows it. Returns 1 when a figure was kept.
function read_figure(i, k, before, after,    label, group, level, second, seg, value, pre, post, rest, dir, base, at, amount, class) {
    label = m_label[k]
    group = m_group[k]
    if (before ~ /[Aa]djusted $/) { label = "Adjusted " small(label); sub(/[Aa]djusted $/, "", before) }
    seg = segment_of(before)
    # "net interest income excluding Markets"
    if (match(after, /^ (excluding|outside of) [A-Za-z& ]+ (was|were|rose|fell|grew|is) /)) {
        rest = substr(after, 1, RLENGTH)
        sub(/ (was|were|rose|fell|grew|is) $/, "", rest)
        label = label rest
        after = substr(after, length(rest) + 1)
    }
    level = second = changes_year = changes_quarter = ""
    rest = clause(after)
    # "$21 billion of net new assets": the value may stand right before the words.
    if (match(before, "(" VALUE ") (of|in|were|are|was|is)( net| the)? $")) {
        value = substr(before, RSTART, RLENGTH)
        match(value, VALUE)
        value = substr(value, 1, RLENGTH)
        if (fits(value, m_kinds[k])) level = value
    }
    dir = ""
    while (match(rest, VALUE)) {
        pre = substr(rest, 1, RSTART - 1)
        value = substr(rest, RSTART, RLENGTH)
        post = substr(rest, RSTART + RLENGTH)
        rest = post
        if (match(post, VALUE)) post = substr(post, 1, RSTART - 1)
        if (pre ~ ("(^|[ ,])(" RISE ")( by| about| roughly)* $")) { dir = "up"; class = "change" }
        else if (pre ~ ("(^|[ ,])(" FALL ")( by| about| roughly)* $")) { dir = "down"; class = "change" }
        else if (pre ~ /(from|against|compared with|versus|than) $/) {
            class = "base"
            if (pre ~ /up from $/) dir = "up"
            else if (pre ~ /down from $/) dir = "down"
            else dir = ""
        } else if (pre ~ /(^|,) or $/) class = "second"
        else if (pre ~ /(^| )for $/ && level != "") class = "second"
        else if (dir != "" && pre ~ / and (by )?$/) class = "change"
        else if (pre ~ /(^| )by $/) class = "skip"
        else class = "level"
        if (class == "level") {
            if (level == "" && fits(value, m_kinds[k])) {
                level = value
                if (pre ~ /positive $/) level = "+" value
                if (pre ~ /negative $/) level = "-" value
                if (pre ~ /(about|roughly|almost|nearly|close to) $/) level = "about " value
            }
        } else if (class == "second") {
            if (fits(value, m_kinds[k])) second = value
        } else if (class != "skip") {
            base = base_named(post)
            if (base == "") base = base_of[name[of_turn[i]]]
            # A base value without a base of its own is of the kind of the level: "down from 47% at the peak" is not.
            if (class == "base" && base_named(post) == "") base = ""
            amount = class == "base" ? (dir == "" ? "" : dir " ") "from " value : dir " " value
            add_change(base, amount)
        }
    }
    rest = clause(after)
    if (match(rest, /(^|[ ,])(unchanged|flat)([ ,]|$)/)) {
        post = substr(rest, RSTART + RLENGTH - 1)
        base = base_named(substr(post, 1, 40))
        if (base == "" && post !~ /^ (from|on|since)/) base = base_of[name[of_turn[i]]]
        add_change(base, "unchanged")
    }
    if (level == "" && changes_year changes_quarter == "") return 0
    if (level == "" && m_kinds[k] !~ /^M/) return 0
    if (!had_topic[i]++) best_topic[i] = seg != "" ? SEGMENTS : topic_of_group[group]
    return keep_figure(label, group, seg, short(level), short(second), changes_year, changes_quarter, of_turn[i])
}

function add_change(base, amount) {
    amount = short(amount)
    if (base == "year" && changes_year == "") changes_year = amount
    if (base == "quarter" && changes_quarter == "") changes_quarter = amount
}

function base_named(text) {
    text = tolower(text)
    if (match(text, /(a|the|one) year (ago|earlier|before)|last year|prior year|previous year|year over year|on the year/)) {
        if (match(substr(text, 1, RSTART), /(last|previous|prior) quarter/)) return "quarter"
        return "year"
    }
    if (text ~ /(last|previous|prior) quarter|(a|one) quarter (ago|earlier)|quarter over quarter|on the quarter/) return "quarter"
    return ""
}

# The clause that still speaks of the metric: what follows these words speaks of reasons or of something else.
function clause(text) {
    if (match(text, /;|, with |,? because |,? since |, as |, so |, although |, while |, of which |, led |, driven |, reflecting |, helped |, after |, but |, which |, including |, excluding |, in spite |, mainly |, nearly |,? against |, where |, partly | on (the way|higher|lower|fewer|stronger|better) /))
        return substr(text, 1, RSTART - 1)
    return text
}

function fits(value, kinds) {
    if (value ~ /shares$/) return kinds ~ /N/
    if (value ~ /^[$].*(trillion|billion|million)$/) return kinds ~ /M/
    if (value ~ /^[$]/) return kinds ~ /E/
    if (value ~ /%$/) return kinds ~ /P/
    if (value ~ /basis points$/) return kinds ~ /B/
    return 0
}

function short(value) { sub(/ basis points$/, " bp", value); return value }

function small(text) { return text ~ /^[A-Z][A-Z]/ ? text : tolower(substr(text, 1, 1)) substr(text, 2) }

# "U.S. Banking " before a metric names the segment whose metric it is: a run of capitalised words. Taking a
# segment's figure for the bank's would be the worst mistake here, so any such run counts, unless it is one of
# the words that only open a sentence.
function segment_of(text,    list, n, i, run) {
    sub(/,? $/, "", text)
    n = split(text, list, " ")
    if (n && list[n] !~ /^[A-Z]/) return ""
    run = ""
    for (i = n; i > 0; i--) {
        if (list[i] !~ /^[A-Z]/ && list[i] !~ /^(and|&|of)$/) break
        if (list[i] ~ /^(In|The|Our|And|For|At|On|But|Total|Average|Firmwide|Reported|Consolidated|Quarterly|Both|Its|Their|This|That|We|I|All)$/) break
        run = list[i] (run == "" ? "" : " ") run
    }
    while (sub(/^(and|&|of)( |$)/, "", run)) ;
    if (run ~ /^(Bank|Group|Company|Firm)$/ || index(bank, run)) return ""
    return run
}

# Keeps one row for one fact: what is said again only fills in the comparisons that were missing.
function keep_figure(label, group, seg, level, second, year, quarter, turn,    f, full) {
    full = seg == "" ? label : seg ": " small(label)
    for (f = 1; f <= figures; f++)
        if (f_label[f] == full && (f_level[f] == level || level == "" || f_level[f] == "")) {
            if (f_level[f] == "") f_level[f] = level
            if (f_second[f] == "") f_second[f] = second
            if (f_year[f] == "") f_year[f] = year
            if (f_quarter[f] == "") f_quarter[f] = quarter
            if (index(f_by[f] ";", said_by(turn) ";") == 0) f_by[f] = f_by[f] "; " said_by(turn)
            return 1
        }
    figures++
    f_label[figures] = full
    f_group[figures] = seg == "" ? group : 9
    f_level[figures] = level
    f_second[figures] = second
    f_year[figures] = year
    f_quarter[figures] = quarter
    f_by[figures] = said_by(turn)
    return 1
}

function print_figures(    g, f) {
    print "## Figures"
    print ""
    if (!figures) { print "No figures were recognised in the prepared remarks."; print ""; return }
    print "From the prepared remarks, as said there" (head["currency"] == "" ? "" : "; amounts in " md(head["currency"])) \
        ". An empty cell means that the comparison was not given."
    print ""
    print "| Metric | Value | Year on year | Quarter on quarter | Said by |"
    print "|---|---|---|---|---|"
    for (g = 1; g <= group_count; g++)
        for (f = 1; f <= figures; f++)
            if (f_group[f] == g)
                print "| " md(f_label[f]) " | " (f_level[f] == "" ? "not given" : f_level[f]) \
                    (f_second[f] == "" ? "" : " (" f_second[f] ")") " | " f_year[f] " | " f_quarter[f] " | " md(f_by[f]) " |"
    print ""
}

# ---------------------------------------------------------------------------------------------- headline

function figure(label,    f) {
    for (f = 1; f <= figures; f++) if (f_label[f] == label && f_level[f] != "") return f
    for (f = 1; f <= figures; f++) if (index(f_label[f], label " excluding ") == 1 && f_level[f] != "") return f
    return 0
}

function first_figure(a, b, c,    f) {
    f = figure(a)
    if (!f && b != "") f = figure(b)
    if (!f && c != "") f = figure(c)
    return f
}

function compared(f,    out) {
    out = ""
    if (f_year[f] != "") out = f_year[f] (f_year[f] ~ /from/ ? " a year ago" : f_year[f] == "unchanged" ? " from a year ago" : " on a year ago")
    if (f_quarter[f] != "") out = out (out == "" ? "" : ", ") f_quarter[f] (f_quarter[f] ~ /from/ ? " last quarter" : f_quarter[f] == "unchanged" ? " from last quarter" : " on last quarter")
    return out == "" ? "" : " (" out ")"
}

function print_headline(    f, g, out, k, i, best, top, n) {
    out = ""
    f = first_figure("Net income", "Adjusted net income")
    g = first_figure("Earnings per share", "Adjusted earnings per share")
    if (f) {
        out = bank " earned " small(f_label[f]) " of " f_level[f] compared(f)
        if (g) out = out ", or " (f_label[g] ~ /^Adj/ && f_label[f] !~ /^Adj/ ? "adjusted " : "") f_level[g] " a share" compared(g)
    } else if (g) out = bank " earned " f_level[g] " a share" compared(g)
    if (f = figure("Revenue")) out = out (out == "" ? bank " had revenue of " : ", on revenue of ") f_level[f] compared(f)
    if (out != "") out = out "."
    out = out clause_of(first_figure("Net interest income"), first_figure("Net interest margin"), ", with a margin of ")
    out = out clause_of(first_figure("Expenses", "Adjusted expenses"), first_figure("Efficiency ratio", "Productivity ratio"), ", an efficiency ratio of ")
    out = out clause_of(first_figure("Provisions for credit losses"), 0, "")
    out = out clause_of(first_figure("CET1 ratio"), 0, "")
    best = 0
    for (k = 1; k < OTHER; k++) {
        n = 0
        for (i = 1; i <= sents; i++) if (is_guided[i] && best_topic[i] == k) n++
        if (n > best) { best = n; top = k }
    }
    if (guided) out = out " Management made " plural(guided, "statement", "statements") " about what it expects, " \
        (guided == best ? "all" : "most often") " on " small(topic_name[top]) "."
    if (questioners) out = out " " analysts() " asked questions."
    sub(/^ /, "", out)
    print md(out)
    print ""
}

function clause_of(f, g, join,    verb) {
    if (!f) return ""
    verb = f_label[f] ~ /^(Provisions|Expenses|Adjusted expenses)/ ? " were " : " was "
    return " " (f_label[f] ~ /ratio$/ ? "The " : "") f_label[f] verb f_level[f] (f_second[f] == "" ? "" : ", or " f_second[f] " of loans") compared(f) (g ? join f_level[g] excluded(g) compared(g) : "") "."
}

# " excluding trading", of a label that ends so.
function excluded(f) { return match(f_label[f], / excluding .*$/) ? substr(f_label[f], RSTART) : "" }

function analysts(    p, n) {
    for (p = 1; p <= people; p++) if (kind[first_turn[p]] == "analyst") n++
    return plural(n, "analyst", "analysts")
}

# ---------------------------------------------------------------------------------------------- statements

# Who said it and, in the answers, to whom.
function attribution(i,    t, j) {
    t = of_turn[i]
    if (part[t] == "M") return "— " said_by(t)
    for (j = t - 1; j > 0 && kind[j] != "analyst" && part[j] == "Q"; j--) ;
    return "— " said_by(t) (j > 0 && kind[j] == "analyst" ? ", asked by " name[j] : "")
}

function statement(i) {
    # What it leans on stands right above already.
    if (is_guided[i] && is_guided[i - 1] && best_topic[i] == best_topic[i - 1]) return "- " md(sent[i]) " *" md(attribution(i)) "*"
    return "- " md(whole(i)) " *" md(attribution(i)) "*"
}

function print_guidance(    k, i, any) {
    print "## Guidance"
    print ""
    if (!guided) { print "No forward-looking statement was recognised."; print ""; return }
    for (k = 1; k <= topic_count; k++) {
        any = 0
        for (i = 1; i <= sents; i++)
            if (is_guided[i] && best_topic[i] == k) {
                if (!any) { print "### " topic_name[k]; print "" }
                any = 1
                print statement(i)
            }
        if (any) print ""
    }
}

function print_sensitivities(    i, any) {
    for (i = 1; i <= sents; i++)
        if (is_sensitive[i]) {
            if (!any) { print "## Sensitivities"; print ""; print "What management said would follow if something else happened."; print "" }
            any = 1
            print statement(i)
        }
    if (any) print ""
}

# The sentences of the prepared remarks that say why or what was done, at most four for a topic, in the order
# in which they were said. A sentence whose figures are in the table needs a reason in it to be told again.
function print_points(    i, k, n, j, best, any, heading_done) {
    for (i = 1; i <= sents; i++) {
        if (kind[of_turn[i]] != "management" || part[of_turn[i]] != "M" || is_guided[i] || is_sensitive[i] || best_topic[i] == OTHER) continue
        point[i] = worth(i)
    }
    for (k = 1; k <= topic_count; k++) {
        for (n = 0; n < 4; n++) {
            best = 0
            for (i = 1; i <= sents; i++)
                if (best_topic[i] == k && !chosen[i] && point[i] >= 4 && (!best || point[i] > point[best])) best = i
            if (!best) break
            chosen[best] = 1
            pointed++
        }
        any = 0
        for (i = 1; i <= sents; i++)
            if (best_topic[i] == k && chosen[i]) {
                if (leans(sent[i]) && chosen[i - 1] && whole(i) != sent[i] && best_topic[i - 1] == k) {
                    # Told already, right above: do not tell it twice.
                    print "- " md(sent[i]) " *" md(attribution(i)) "*"
                    continue
                }
                if (!heading_done) { print "## Management's points"; print ""; heading_done = 1 }
                if (!any) { print "### " topic_name[k]; print "" }
                any = 1
                print statement(i)
            }
        if (any) print ""
    }
}

function worth(i,    w, n) {
    n = count_words(sent[i])
    if (n < 10 || norm[i] ~ / (good morning|thank you|goodbye|i will be short|let me start|let us begin|take you through|turning to|comparisons are|three matters) /) return 0
    w = weight_of[i] > 8 ? 8 : weight_of[i]
    if (norm[i] ~ / (because|since|reflect|reflects|reflecting|driven|led|helped|as|so|after|in spite|although|while|mainly|mostly|not|but) /) w += 3
    if (sent[i] ~ /[0-9]/) w += 1
    if (!had_figure[i]) w += 1
    else w -= norm[i] ~ / (because|since|reflect|reflecting|driven|led|helped|in spite|although|mainly|with|as|after) / ? 2 : 9
    if (leans(sent[i])) w -= whole(i) == sent[i] ? 6 : 2
    return w
}

# ---------------------------------------------------------------------------------------------- speakers

function print_speakers(    p, t, n, m, q) {
    print "## Speakers"
    print ""
    print "| Speaker | Role | Words prepared | Words in questions and answers | Turns |"
    print "|---|---|---:|---:|---:|"
    for (p = 1; p <= people; p++) {
        n = m = q = 0
        for (t = 1; t <= turns; t++) if (name[t] == person[p] && kind[t] == kind[first_turn[p]]) {
            n++
            if (part[t] == "M") m += words[t]
            else q += words[t]
        }
        t = first_turn[p]
        print "| " md(person[p]) " | " md(kind[t] == "analyst" ? "Analyst, " firm[t] : title[t]) " | " \
            grouped(m + 0) " | " grouped(q + 0) " | " n " |"
    }
    print ""
}
