import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens } from 'marked'
import { visible } from './visible'

/** A formula, as a token of the parser. */
export interface FormulaToken {
  type: 'formula'
  raw: string
  tex: string
  display: boolean
}

const formulaPatterns = [
  [/^\$\$([^$]+?)\$\$/, true],
  [/^\\\[([\s\S]+?)\\\]/, true],
  [/^\\\(([\s\S]+?)\\\)/, false],
  // As elsewhere: no space inside the dollars and no digit behind them, so that prices stay prices.
  [/^\$(?![\s$])((?:\\[^\n]|[^\\$\n])*[^\\$\s])\$(?!\d)/, false],
] as const

function formula(source: string): FormulaToken | undefined {
  for (const [pattern, display] of formulaPatterns) {
    const found = pattern.exec(source)
    if (found?.[1] !== undefined) return { type: 'formula', raw: found[0], tex: found[1].trim(), display }
  }
  return undefined
}

const extension: TokenizerAndRendererExtension = {
  name: 'formula',
  level: 'inline',
  start: (source) => {
    const at = source.search(/\$|\\[([]/)
    return at < 0 ? undefined : at
  },
  tokenizer: (source) => formula(source),
}

const marked = new Marked({ gfm: true, extensions: [extension] })
// Inline rules run within paragraphs only, and a formula on lines of its own could hold a line that looks like a list.
marked.use({
  extensions: [
    {
      name: 'formulaBlock',
      level: 'block',
      tokenizer: (source) => {
        const found = /^ {0,3}(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/.exec(source)
        if (!found) return undefined
        return { type: 'formula', raw: found[0], tex: (found[1] ?? found[2] ?? '').trim(), display: true }
      },
    },
  ],
})

/** Quotes and lists within each other without end: what would only exhaust the parser. */
const tooDeep = /^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*){24}/m

/** What may begin or end something. So many in one piece are no text, and the parser compares them with each other. */
const marks = /[*_[\]<$`~!\\]/g
const mostMarks = 1_500

/** A piece of Markdown as tokens. It is untrusted: what is drawn of it is decided in `MarkdownTokens.svelte`. */
export function parse(text: string): Token[] {
  const shown = visible(text)
  const plain: Tokens.Text[] = [{ type: 'text', raw: shown, text: shown, escaped: false }]
  if (tooDeep.test(shown) || (shown.match(marks)?.length ?? 0) > mostMarks) return plain
  try {
    return marked.lexer(shown)
  } catch {
    // Nested deeper than the stack.
    return plain
  }
}

/** Where a link leads, if it is of a kind that may be offered: the web and mail. */
export function safeAddress(href: string): URL | undefined {
  try {
    const url = new URL(href)
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : undefined
  } catch {
    return undefined
  }
}
