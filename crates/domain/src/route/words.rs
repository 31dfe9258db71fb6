//! The words that the score knows, in English, Chinese and Spanish, with the commonest of German, French and Portuguese.
//!
//! A term is one word or a few, in lower case and without hyphens, and matches whole words; a Chinese or Japanese term matches wherever its
//! characters stand. A term may stand in several lists.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a term speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Tag {
    /// Programming.
    Code,
    /// Mathematics.
    Mathematics,
    /// An order of steps, or a demand that goes beside another.
    Step,
    /// Something to do: each one after the first is a step.
    Verb,
    /// Expert work or reasoning.
    Depth,
    /// A kind of text that is long by nature.
    LongForm,
    /// A language that small models write badly, by its name.
    RareLanguage,
    /// A language that small models write with mistakes, by its name.
    FairLanguage,
    /// Translation.
    Translate,
    /// Work on a text that is given.
    Text,
    /// Something short to be written.
    Writing,
    /// A judgement or a puzzle.
    Reasoning,
    /// Small talk.
    Chat,
}

/// Tag, strength of each term, and the terms.
const LISTS: &[(Tag, u8, &str)] = &[
    (
        Tag::Code,
        2,
        "python, javascript, typescript, java, rust, golang, go语言, c++, c++20, kotlin, swift, php, ruby, sql, html, css, bash, \
         regex, regular expression, docstring, git, commit, cuda, webassembly, react, api, json schema, list comprehension, \
         stack trace, traceback, syntax error, unit tests, 单元测试, 代码, 编程, 正则, código, expresión regular, programa, \
         fehlermeldung, one liner",
    ),
    (
        Tag::Code,
        1,
        "function, functions, variable, loop, class, method, array, script, query, database, server, client, compiler, parser, \
         algorithm, thread, queue, cache, endpoint, handler, handlers, schema, framework, library, code, bug, debug, compile, \
         函数, 变量, 算法, 数组, 数据库, 服务器, 接口, función, funciones, variable, arreglo, algoritmo, servidor, base de datos, \
         compilador, biblioteca, fonction, funktion, função, クラス, 関数, 辞書",
    ),
    (
        Tag::Mathematics,
        1,
        "percent, convert, sum, product, times, divided, multiply, fraction, decimal, decimals, decimal places, area, perimeter, formula, \
         equation, solve, calculate, compute, how many, how much, square root, prime, number, average, speed, 面积, 多少, 分数, \
         质数, 计算, 平均, 公式, cuánto es, fracción, ecuación, calcula, calcular, promedio, área, suma, racine carrée, \
         wie rechne ich, interest, distance, rate",
    ),
    (
        Tag::Mathematics,
        3,
        "integral, derivative, differential equation, differential equations, eigenvalue, eigenvalues, eigenvector, eigenvectors, \
         matrix, matrices, modulo, congruent, theorem, lemma, induction, irrational, convergent, converges, sequence, series, \
         polynomial, polynomials, lagrange, gradient, probability, how likely, odds, likelihood, conditional, correlated, variance, expected value, expectation, bayes, combinatorics, \
         permutations, integer solutions, factorial, factorization, logarithm, trigonometric, topology, group theory, \
         vector space, optimum, linear programming, 极限, 积分, 导数, 微分, 方程组, 矩阵, 特征值, 概率, 期望, 方差, 数列, 定理, \
         归纳法, 不等式, 整除, 正整数, derivada, ecuación diferencial, matriz, autovalores, probabilidad, varianza, teorema, \
         irracional, inducción, límite, maximizan, minimizan, maximiza, minimiza, théorème, intégrale, montrer que, démontrer, demostrar, demuestra que, \
         wahrscheinlichkeit, ableitung",
    ),
    (
        Tag::Step,
        1,
        "then, after that, afterwards, next, finally, first, second, third, step by step, steps, in order, for each, each, every, \
         both, including, include, includes, as well as, together with, at the same time, without, while, unless, except, subject to, \
         such that, so that, and explain, and why, and how, at least, at most, exactly, before, also, 首先, 然后, 接着, 最后, 步骤, \
         逐步, 逐句, 分别, 并且, 同时, 并, 包括, 要求, 以及, 每个, 所有, 之后, 恰好, primero, luego, después, finalmente, \
         paso a paso, cada, incluye, además, también, por último, de modo que, sin que, antes, así como, entonces, todas, dann, \
         danach, anschließend, jeder, jeden, sowie, ohne, puis, ensuite, enfin, chaque, avec, depois, por etapas, também",
    ),
    (
        Tag::Verb,
        1,
        "write, explain, prove, list, compare, propose, give, find, fix, check, verify, derive, rank, design, implement, test, \
         analyse, analyze, optimise, optimize, refactor, rewrite, describe, summarise, summarize, justify, recommend, assess, \
         evaluate, determine, plan, review, discuss, compute, show, draft, translate, build, cite, identify, reconstruct, argue, \
         note, remove, point out, say which, estimate, simulate, classify, extract, 写, 解释, 证明, 列出, 比较, 找出, 重写, 分析, \
         实现, 设计, 编写, 说明, 引用, 推理, 论述, 检查, 优化, 总结, 整理, 注释, 翻译, 译成, 求, escribe, explica, demuestra, \
         compara, propón, encuentra, comprueba, implementa, diseña, analiza, resuelve, redacta, justifica, calcula, describe, corrige, \
         traduce, resume, schreibe, begründe, erkläre, vergleiche, écris, montrer, explique, proponha, escreva",
    ),
    (
        Tag::Depth,
        2,
        "prove, proof, derive, derivation, analyse, analyze, analysis, critically, evaluate, assess, architecture, trade off, \
         trade offs, tradeoff, tradeoffs, thread safe, concurrency, concurrent, distributed, deadlock, deadlocks, race condition, lock free, \
         linearizable, scalability, fault tolerant, consensus, raft, asynchronous, memory ordering, occupancy, optimise, optimize, \
         optimisation, optimization, compiler, kernel, parser, allocator, root cause, root causes, hypothesis, hypotheses, \
         differential diagnosis, diagnosis, clause, clauses, jurisdiction, liability, legal, contract, pharmacokinetics, \
         equilibrium, counterargument, counterarguments, counterexample, thesis, literature review, \
         bibliography, cite, sources, citations, contradict, contradicts, contradictions, inconsistency, inconsistencies, dependencies, \
         constraint, constraints, unique, implications, methodology, statistical, premise, premises, interpretations, \
         n log n, idempotent, idempotency, migration, migrations, security, vulnerability, edge cases, theory, knights, knaves, \
         证明, 推导, 分析, 一致性, 分布式, 高并发, 并发, 架构, 论证, 文献, 引用, 史料, 参考文献, 矛盾, 推理, 优化, 背景, 影响, \
         深入, 详细比较, 文言文, demuestra, demostrar, analiza, análisis, arquitectura, concurrencia, distribuido, asíncrono, \
         compilador, fuentes, bibliografía, citas, tesis, contradicciones, contrato, comprueba, condición, justifica, métrica, \
         interpretaciones, verteilter, nebenläufig, begründe, forschungsstand, literaturverzeichnis, montrer, démontrer, \
         distribué, idempotência, arquitetura",
    ),
    (
        Tag::Depth,
        1,
        "engine, interpreter, emulator, virtual machine, operating system, garbage collector, scheduler, load balancer, microservices, \
         multiplayer, real time, simulation, design, implement, why, compare, differences, difference, detailed, in detail, full, complete, recommend, justify, risk, \
         risks, efficient, performance, requirements, strategy, strategies, evidence, argue, argument, verify, assumptions, \
         history, system, protocol, large, 设计, 实现, 详细, 完整, 比较, 区别, 理由, 风险, 原因, 讨论, diseña, implementa, diferencias, \
         detalle, completo, riesgos, estrategia, compara, por qué, pourquoi, compare, ausführliche, warum",
    ),
    (
        Tag::LongForm,
        2,
        "essay, business plan, screenplay, novel, thesis, dissertation, white paper, grant proposal, user manual, research paper, \
         term paper, speech, chapter, chapters, case study, curriculum, handbook, 论文, 商业计划书, 小说, 剧本, 研究报告, \
         手册, ensayo, plan de negocio, plan de negocios, guion, tesis, cuento largo, manual de usuario, informe completo, hausarbeit, \
         aufsatz, dissertation, mémoire, plan d'affaires, plano de negócios",
    ),
    (
        Tag::RareLanguage,
        1,
        "icelandic, swahili, quechua, yoruba, basque, khmer, lao, welsh, irish, gaelic, amharic, tigrinya, georgian, armenian, \
         mongolian, tibetan, uyghur, kazakh, uzbek, tamil, telugu, kannada, malayalam, marathi, gujarati, punjabi, sinhala, nepali, \
         bengali, burmese, thai, zulu, xhosa, hausa, igbo, somali, maori, hawaiian, samoan, guarani, nahuatl, aymara, maltese, \
         albanian, macedonian, latvian, lithuanian, estonian, slovene, galician, occitan, breton, faroese, sanskrit, latin, \
         ancient greek, old english, javanese, sundanese, tagalog, cebuano, malagasy, wolof, 冰岛语, 斯瓦希里语, 藏语, 蒙古语, \
         维吾尔语, 泰语, 高棉语, 缅甸语, 泰米尔语, 威尔士语, 巴斯克语, 拉丁语, 梵语, 文言文, islandés, suajili, vasco, euskera, \
         guaraní, galés, náhuatl, tailandés, jemer, latín, तमिल, मराठी, isländisch, suaheli",
    ),
    (
        Tag::FairLanguage,
        1,
        "russian, japanese, korean, arabic, dutch, polish, turkish, vietnamese, hindi, indonesian, malay, ukrainian, czech, greek, \
         hebrew, swedish, norwegian, danish, finnish, hungarian, romanian, bulgarian, serbian, croatian, slovak, persian, urdu, catalan, \
         俄语, 日语, 韩语, 阿拉伯语, 越南语, 土耳其语, 印地语, ruso, japonés, coreano, árabe, neerlandés, polaco, turco, vietnamita, \
         hindi, griego, hebreo",
    ),
    (
        Tag::Translate,
        2,
        "translate, translation, translated, into english, into spanish, into chinese, how do you say, how do i say, 翻译, 译成, \
         traduce, traducir, traduzca, traducción, übersetze, traduis, traduisez, traduza, अनुवाद",
    ),
    (
        Tag::Text,
        2,
        "summarise, summarize, summary, fix the typos, correct the spelling, proofread, extract, bullet points, shorten, make this shorter, \
         this text, title, rewrite this, positive or negative, sentiment, classify, keywords, sort alphabetically, as json, into json, \
         review this, this letter, anonymise, 总结, 概括, \
         会议记录, 提取, resume, resumen, corrige, extrae, corrige les fautes, fasse zusammen, resuma",
    ),
    (
        Tag::Writing,
        2,
        "email, e mail, message, haiku, poem, slogan, invitation, letter, tweet, blog post, biography, story, bedtime story, card, \
         caption, product description, more formal, article, toast, 请假条, 小诗, 邮件, 一封信, 短信, 诗, 贺卡, correo, mensaje, poema, \
         invitación, carta, cuento, artículo, nachricht, gedicht, brief, lettre, message poli, メッセージ, 手紙",
    ),
    (
        Tag::Reasoning,
        2,
        "who is the tallest, taller, what comes next, does not belong, advantages, disadvantages, pros and cons, puzzle, riddle, \
         knights, knaves, timetable, schedule, constraint, argument, premise, root cause, root causes, equilibrium, diagnosis, \
         how many times does, should i, rank, 推理, 逻辑, 谜题, qué pesa más, turnos, horario, \
         acertijo",
    ),
    (
        Tag::Chat,
        2,
        "hello, hi, hey, good morning, good night, good evening, thanks, thank you, how are you, tell me a joke, joke, i feel, \
         what can you do, who are you, 你好, 您好, 谢谢, 你是谁, 笑话, 早上好, 晚安, hola, buenos días, buenas noches, gracias, \
         qué tal, hallo, danke, bonjour, merci, bom dia, obrigado, नमस्ते, こんにちは, try again, try once more, once more",
    ),
];

/// One term of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    /// Place among all terms.
    pub(super) place: usize,
    pub(super) tag: Tag,
    pub(super) strength: u8,
    pub(super) text: &'static str,
}

/// Every term by its last unit: its last word, or its last character in a script that does not part words. So a text is
/// read once, with one look-up a unit.
pub(super) static TERMS: LazyLock<HashMap<&'static str, Vec<Term>>> = LazyLock::new(|| {
    let mut by_end: HashMap<&'static str, Vec<Term>> = HashMap::new();
    let mut place = 0;
    for (tag, strength, list) in LISTS {
        for text in list.split(", ") {
            let end = match text.char_indices().next_back() {
                Some((at, last)) if is_ideograph(last) => &text[at..],
                _ => text.rsplit(' ').next().unwrap_or(text),
            };
            let terms = by_end.entry(end).or_default();
            if !terms.iter().any(|term| term.text == text && term.tag == *tag) {
                terms.push(Term { place, tag: *tag, strength: *strength, text });
                place += 1;
            }
        }
    }
    by_end
});

/// Number of terms.
pub(super) static N_TERMS: LazyLock<usize> = LazyLock::new(|| TERMS.values().map(Vec::len).sum());

/// Whether the character stands for itself: scripts written without spaces between words.
pub(super) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// How well small models serve a script, by the first and last code point of its blocks. Latin, Chinese and Japanese are
/// not here: they are served well, or say nothing about the language.
const SCRIPTS: &[(u32, u32, &str, bool)] = &[
    (0x0370, 0x03FF, "Greek", false),
    (0x0400, 0x052F, "Cyrillic", false),
    (0x0530, 0x058F, "Armenian", true),
    (0x0590, 0x05FF, "Hebrew", false),
    (0x0600, 0x06FF, "Arabic", false),
    (0x0700, 0x08FF, "Syriac or another of its kin", true),
    (0x0900, 0x097F, "Devanagari", false),
    (0x0980, 0x09FF, "Bengali", true),
    (0x0A00, 0x0DFF, "an Indian script", true),
    (0x0E00, 0x0E7F, "Thai", true),
    (0x0E80, 0x0FFF, "Lao or Tibetan", true),
    (0x1000, 0x109F, "Burmese", true),
    (0x10A0, 0x10FF, "Georgian", true),
    (0x1200, 0x139F, "Ethiopic", true),
    (0x13A0, 0x167F, "a syllabary of North America", true),
    (0x1780, 0x17FF, "Khmer", true),
    (0x1800, 0x18AF, "Mongolian", true),
    (0x1100, 0x11FF, "Hangul", false),
    (0xAC00, 0xD7AF, "Hangul", false),
];

/// Number of scripts that are told apart.
pub(super) const N_SCRIPTS: usize = SCRIPTS.len();

/// Place of the script of a character in the table.
pub(super) fn script(c: char) -> Option<usize> {
    let code = c as u32;
    if code < 0x0370 {
        return None;
    }
    SCRIPTS.iter().position(|(first, last, ..)| (*first..=*last).contains(&code))
}

/// Name of a script and whether small models hardly know it.
pub(super) fn script_says(place: usize) -> (&'static str, bool) {
    let (_, _, name, rare) = SCRIPTS[place];
    (name, rare)
}

/// Words that make of the number before them the length of an answer, and how many words one stands for.
pub(super) fn words_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "word" | "words" | "palabras" | "wörter" | "wörtern" | "mots" | "palavras" => 1.0,
        // Chinese has about two characters where English has a word and its space.
        "字" => 0.6,
        "page" | "pages" | "páginas" | "página" | "seiten" | "页" => 400.0,
        _ => return None,
    })
}

/// A number in words, as far as lengths are given so.
pub(super) fn number_word(word: &str) -> Option<f64> {
    const WORDS: [&[&str]; 12] = [
        &["two", "dos", "zwei", "deux", "两"],
        &["three", "tres", "drei", "trois", "三"],
        &["four", "cuatro", "vier", "quatre", "四"],
        &["five", "cinco", "fünf", "cinq", "五"],
        &["six", "seis", "sechs"],
        &["seven", "siete", "sieben"],
        &["eight", "ocho", "acht"],
        &["nine", "nueve", "neun"],
        &["ten", "diez", "zehn", "dix", "十"],
        &["twelve", "doce", "zwölf"],
        &["fifteen", "quince"],
        &["twenty", "veinte", "zwanzig", "vingt"],
    ];
    const VALUES: [f64; 12] = [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 20.0];
    WORDS.iter().position(|words| words.contains(&word)).map(|place| VALUES[place])
}
