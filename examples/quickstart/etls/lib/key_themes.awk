# The report "Key Themes": what analysts asked about, ranked, with a question and an answer for each theme.
# Runs after transcript.awk, which reads the transcript.
#
# A question is one turn of an analyst with the turns of management that follow it. Its theme is the one whose
# terms weigh most, those of the question counting double; a second theme is named when it weighs nearly as much.
# A turn that only says thanks is no question.

BEGIN {
    theme("Net interest margin and rates", \
        "net interest margin:4|margin*:3|net interest income:3|rate cut*:3|rates:2|rate path:3|forward curve:3|curve:1|asset sensitive:2|cuts rates:2|cutting rates:3|reinvest*:2|repric*:2|fixed rate:2|swaps:2|bonds:2|repositioning:2|yield*:1|deposit margin*:3|deposit costs:1|central bank:1")
    theme("Credit quality and provisions", \
        "provision*:3|impaired:3|allowance:2|reserve*:2|charge off*:3|delinquenc*:2|credit quality:3|credit:1|performing:2|losses:1|watch list:2|recover*:1|stress:1|fell behind:1|vintage:2|card losses:2|stopped paying:3|unemployment:1|cards:1")
    theme("Mortgages and housing", \
        "mortgage*:4|renewal*:3|renew:2|renewed:2|housing:3|amortization*:3|condo*:4|home:1|brokers:1|fixed terms:2|pre approvals:2|appraisals:1|developers:2")
    theme("Commercial real estate", \
        "commercialrealestate:5|office:3|offices:3|real estate:2|multi family:3|loan to value:3|extension*:1|buildings:2|developers:2|property:2")
    theme("Capital and buy-backs", \
        "capital:3|buy back*:4|cet1:3|capital ratio:3|repurchas*:3|dividend*:2|excess capital:3|stresstest:3|requirement:2|authorization:2|shares:1|stock:1|leverage ratio:2|return on equity:2|buffer:2|tangible book:2")
    theme("Expenses, technology and AI", \
        "expense*:3|cost*:1|costs:1|cost synergies:3|synergies:2|savings:2|save:1|saving:2|artificialintelligence:4|technology:3|restructuring:3|severance:3|efficiency:2|headcount:3|staff:2|hiring:2|reinvested:1|compensation:2|automation:2")
    theme("Capital markets and deal pipeline", \
        "pipeline:4|backlog:4|advisory:3|underwriting:3|investment banking:4|mergers:3|deals:2|trading:3|equities:2|sponsors:2|listings:3|financing balances:2|prime brokerage:3|mandates:2|hedge funds:2|volatility:2|financing:1|leveraged:1|completions:2")
    theme("Tariffs, trade and the economy", \
        "tariff*:4|duties:3|trade:2|recession:2|economy:2|exports:3|export*:1|unemployment:1|uncertain*:1|scenario*:1|cross border:2|across the border:2|mexico:2|consumer:1")
    theme("Deposits and funding", \
        "deposit*:3|checking:2|term deposits:3|savings accounts:3|funding:1|balances:1|certificate:2|sweeps:2|cost of consumer deposits:2|branch*:2")
    theme("Loan growth", \
        "loan growth:4|loan demand:3|utilization:3|loan book:2|run off:3|grow again:3|commercial demand:3|loans:1|shrunk:2|shrinking:2|exits:2|borrow:1|lines:1|core loans:2")
    theme("Wealth and asset management", \
        "wealth:4|netnewassets:4|asset management:3|alternatives:4|fundraising:3|advisers:2|fee based:3|private bank*:3|private wealth:3|wealthy:3|funds:1|fees:1")
    theme("Private credit", \
        "privatecredit:5|direct lending:4|syndicated:2")
    theme("Acquisitions and strategy", \
        "acquisition*:4|acquire:3|minority stake:4|regional bank:3|divest*:3|selling:2|strategy:2|strategic:1|investment:1|target:1")
    theme("Payments and digital assets", \
        "stablecoin*:5|tokenized:5|payments:2|digital:2|crypto*:4")
    OTHER = theme("Other", "")
    begin_stage("Read transcript")
    MIN = 3 # a theme that weighs less than this is a guess: the question goes to "Other"
}

function theme(label, terms) { theme_name[++themes] = label; theme_terms[themes] = terms; return themes }

END {
    if (failed) exit 65
    check_transcript()
    end_stage(NR, "", "\"turns\":" turns ",\"speakers\":" people)
    begin_stage("Collect questions")
    if (!questioners) malformed("no analyst under QUESTION AND ANSWER (expected lines such as \"John Roe, Analyst, Some Securities:\")")
    collect_questions()
    if (!questions) malformed("the analysts under QUESTION AND ANSWER ask nothing")
    end_stage(turns, "", "\"questions\":" questions ",\"analysts\":" askers)
    begin_stage("Rank themes")
    rank_themes()
    end_stage(questions, "", "\"themes\":" ranked)
    begin_stage("Write report")
    heading("key themes of the questions and answers")
    print_overview()
    print_ranking()
    print_themes()
    print_analysts()
    footer("key_themes")
    end_stage("", ranked, "")
    tell("read " plural(total_words, "word", "words") " by " plural(people, "speaker", "speakers") "; wrote " \
        plural(ranked, "theme", "themes") " of " plural(questions, "question", "questions") " by " plural(askers, "analyst", "analysts"))
}

function turn_norm(t,    i, out) {
    out = ""
    for (i = 1; i <= sents; i++) if (of_turn[i] == t) out = out norm[i]
    return out
}

function is_courtesy(t,    i) {
    for (i = 1; i <= sents; i++) if (of_turn[i] == t && sent[i] ~ /\?/) return 0
    return words[t] < 15
}

function collect_questions(    t, q, k, asked, answered) {
    for (t = 1; t <= turns; t++) {
        if (part[t] != "Q") continue
        if (kind[t] == "operator") { q = 0; continue }
        if (kind[t] == "analyst") {
            if (is_courtesy(t)) { q = 0; continue }
            q = ++questions
            asked_in[q] = t
            q_words[q] = words[t]
            answer_norm[q] = ""
            if (!(name[t] in asker_of)) { asker_of[name[t]] = ++askers; asker[askers] = t }
        } else if (q) {
            question_of[t] = q
            q_words[q] += words[t]
            answer_norm[q] = answer_norm[q] turn_norm(t)
            if (index("; " answerers[q] ";", "; " said_by(t) ";") == 0)
                answerers[q] = answerers[q] (answerers[q] == "" ? "" : "; ") said_by(t)
        }
    }
    for (q = 1; q <= questions; q++) choose_theme(q)
}

function choose_theme(q,    k, w, best, at, next_best, next_at, asked) {
    best = next_best = at = next_at = 0
    asked = turn_norm(asked_in[q])
    for (k = 1; k < OTHER; k++) {
        w = 2 * weigh(asked, theme_terms[k]) + weigh(answer_norm[q], theme_terms[k])
        # A follow-up is mostly about what the same analyst asked before.
        if (q > 1 && name[asked_in[q - 1]] == name[asked_in[q]] && q_theme[q - 1] == k) w += 5
        if (w > best) { next_best = best; next_at = at; best = w; at = k }
        else if (w > next_best) { next_best = w; next_at = k }
    }
    q_theme[q] = best >= MIN ? at : OTHER
    q_second[q] = best >= MIN && next_best >= 6 && next_best >= 0.6 * best ? next_at : 0
}

# The weight of a theme is the mean of its share of the questions and its share of the words spoken in them.
function rank_themes(    q, k, n, j, tmp) {
    for (q = 1; q <= questions; q++) {
        t_questions[q_theme[q]]++
        t_words[q_theme[q]] += q_words[q]
        qa_words += q_words[q]
    }
    for (k = 1; k <= themes; k++)
        if (t_questions[k]) { weight[k] = (t_questions[k] / questions + t_words[k] / qa_words) / 2; rank[++ranked] = k }
    for (n = 2; n <= ranked; n++)
        for (j = n; j > 1 && before(rank[j], rank[j - 1]); j--) { tmp = rank[j]; rank[j] = rank[j - 1]; rank[j - 1] = tmp }
}

# "Other" is last, whatever it weighs.
function before(a, b) {
    if (a == OTHER || b == OTHER) return b == OTHER && a != OTHER
    return weight[a] > weight[b]
}

function who(t) { return name[t] (firm[t] == "" ? "" : " (" firm[t] ")") }

function print_overview(    out, n) {
    out = plural(askers, "analyst", "analysts") " asked " plural(questions, "question", "questions") " about " \
        plural(ranked, "theme", "themes") ". "
    out = out "The weightiest " (ranked == 1 ? "is " : "are ") "**" md(small(theme_name[rank[1]])) "** (" percent(weight[rank[1]], 1) ")"
    n = ranked > 3 ? 3 : ranked
    if (n > 1 && rank[2] != OTHER) out = out (n > 2 && rank[3] != OTHER ? ", " : " and ") md(small(theme_name[rank[2]])) " (" percent(weight[rank[2]], 1) ")"
    if (n > 2 && rank[3] != OTHER) out = out " and " md(small(theme_name[rank[3]])) " (" percent(weight[rank[3]], 1) ")"
    print out "."
    print ""
}

function small(text) { return text ~ /^[A-Z][A-Z]/ ? text : tolower(substr(text, 1, 1)) substr(text, 2) }

function print_ranking(    n, k) {
    print "## Ranking"
    print ""
    print "Weight is the mean of a theme's share of the questions and its share of the words in questions and answers."
    print ""
    print "| # | Theme | Questions | Share of questions | Words | Weight | Asked by |"
    print "|---:|---|---:|---:|---:|---:|---|"
    for (n = 1; n <= ranked; n++) {
        k = rank[n]
        print "| " n " | " md(theme_name[k]) " | " t_questions[k] " | " percent(t_questions[k], questions) " | " \
            grouped(t_words[k]) " | " percent(weight[k], 1) " | " md(askers_of(k)) " |"
    }
    print ""
}

function askers_of(k,    q, out, by) {
    out = ""
    for (q = 1; q <= questions; q++)
        if (q_theme[q] == k) {
            by = name[asked_in[q]]
            if (index("; " out ";", "; " by ";") == 0) out = out (out == "" ? "" : "; ") by
        }
    return out
}

function print_themes(    n, k, q, t) {
    for (n = 1; n <= ranked; n++) {
        k = rank[n]
        print "## " n ". " theme_name[k]
        print ""
        for (q = 1; q <= questions; q++) {
            if (q_theme[q] != k) continue
            t = asked_in[q]
            print "**" md(who(t)) "** asked" (q_second[q] ? ", also touching " md(small(theme_name[q_second[q]])) : "") ":"
            print ""
            print "> " md(question_text(q, k))
            print ""
            if (answerers[q] == "") print "No answer is recorded."
            else print_answers(q, k)
            print ""
        }
    }
}

# A short question in full, without the greeting; of a long one the sentence that asks, with the one before it
# where it leans on that.
function question_text(q, k,    i, w, best, at, all) {
    at = 0
    all = ""
    for (i = 1; i <= sents; i++) {
        if (of_turn[i] != asked_in[q]) continue
        if (sent[i] ~ /^(Good (morning|afternoon)|Thank you|Thanks|Hi|Hello|Great)[^?]*[.!]$/ && count_words(sent[i]) < 8) continue
        all = all (all == "" ? "" : " ") sent[i]
        w = weigh(norm[i], theme_terms[k]) + (sent[i] ~ /\?$/ ? 20 : 0) + (count_words(sent[i]) > 7 ? 1 : 0)
        if (!at || w > best) { at = i; best = w }
    }
    if (count_words(all) <= 60) return all
    if (at > 1 && of_turn[at - 1] == asked_in[q] && needs_context(at)) return sent[at - 1] " " sent[at]
    return sent[at]
}

function needs_context(i) {
    return leans(sent[i]) || norm[i] ~ / (it|that|this|them|they|those|there|these|the same) / || count_words(sent[i]) < 9
}

# For each who answered, the two sentences that say most about the theme, in the order in which they were said,
# with what they lean on. An ellipsis stands for what is left out between them.
function print_answers(q, k,    t, i, n, w, best, at, last, out) {
    for (t = asked_in[q] + 1; t <= turns && question_of[t] == q; t++) {
        split("", chosen)
        for (n = 0; n < 2; n++) {
            at = 0
            for (i = 1; i <= sents; i++) {
                if (of_turn[i] != t || i in chosen) continue
                w = 2 * weigh(norm[i], theme_terms[k]) + (sent[i] ~ /[0-9]/ ? 2 : 0)
                if (norm[i] ~ / (expect|intend|plan|will|because|since) /) w += 2
                if (count_words(sent[i]) < 6) w -= 4
                if (!at || w > best) { at = i; best = w }
            }
            if (at) chosen[at] = 1
        }
        for (i = sents; i > 1; i--)
            if (i in chosen && leans(sent[i]) && of_turn[i - 1] == t) chosen[i - 1] = 1
        out = ""
        last = 0
        for (i = 1; i <= sents; i++)
            if (i in chosen) {
                if (out != "") out = out (last == i - 1 ? " " : " ... ")
                out = out sent[i]
                last = i
            }
        if (out != "") print "- " md(said_by(t)) ": \"" md(out) "\""
    }
}

function print_analysts(    a, q, t, out, by, n, k) {
    print "## Analysts"
    print ""
    print "| Analyst | Firm | Questions | Themes | Answered by |"
    print "|---|---|---:|---|---|"
    for (a = 1; a <= askers; a++) {
        t = asker[a]
        n = 0
        out = by = ""
        for (q = 1; q <= questions; q++) {
            if (name[asked_in[q]] != name[t]) continue
            n++
            k = theme_name[q_theme[q]]
            if (index("; " out ";", "; " k ";") == 0) out = out (out == "" ? "" : "; ") k
            by = add_all(by, answerers[q])
        }
        print "| " md(name[t]) " | " md(firm[t]) " | " n " | " md(out) " | " md(by) " |"
    }
    print ""
}

function add_all(have, more,    list, n, i) {
    n = split(more, list, "; ")
    for (i = 1; i <= n; i++)
        if (index("; " have ";", "; " list[i] ";") == 0) have = have (have == "" ? "" : "; ") list[i]
    return have
}
