// Cuts a text that arrives in chunks into pieces that can be drawn on their own. A piece that is whole never changes again,
// so it is parsed once, and only the growing last one is parsed again. Joined, the pieces are the text; where it is cut
// does not depend on how it arrived.

/** Longest piece of Markdown, in UTF-16 units. What has not ended by then goes on as plain text: a line without an end must not be parsed from its beginning at every frame. */
export const mostMarkdown = 12_000
/** Longest piece of code, which is not parsed. */
export const mostCode = 32_000
/** Lists longer than this are cut between their items. */
const longList = 2_000

export type PieceKind = 'markdown' | 'code' | 'plain'

export interface Piece {
  /** Where it begins in the text. It identifies the piece. */
  start: number
  kind: PieceKind
  /** As it came, with fences. */
  text: string
  /** Of code: its first line opens the fence. */
  opens: boolean
  /** Of code: its last line closes it. */
  closes: boolean
}

const fencePattern = /^( {0,3}|\s*)(`{3,}(?=[^`]*$)|~{3,})/
const itemPattern = /^(?:[-*+]|\d{1,9}[.)])[ \t]/
const headingPattern = /^#{1,6}(?:[ \t]|$)/

export class Splitter {
  /** Pieces that are whole. */
  readonly done: Piece[] = []
  /** Where the piece that grows begins. */
  #start = 0
  /** Its whole lines, and the line that has not ended. */
  #block = ''
  #line = ''
  /** Its line began in the piece before. */
  #midLine = false
  #blank = false
  /** It is code, and its fence is this. */
  #fence: string | undefined
  /** A fence within a list. */
  #inner: string | undefined
  /** What it belongs to was cut: the rest of it is plain. */
  #plain = false
  #opens = false

  push(text: string): void {
    let at = 0
    while (at < text.length) {
      const end = text.indexOf('\n', at)
      this.#line += end < 0 ? text.slice(at) : text.slice(at, end + 1)
      this.#cut()
      if (end < 0) return
      this.#take()
      at = end + 1
    }
  }

  /** There will be no more. */
  end(): void {
    this.#block += this.#line
    this.#line = ''
    if (this.#block) this.#emit(this.#block, this.#closed(lastLine(this.#block)))
    this.#block = ''
  }

  /** The piece that grows, if there is any of it. */
  get tail(): Piece | undefined {
    const text = this.#block + this.#line
    return text ? this.#piece(text, false) : undefined
  }

  #kind(): PieceKind {
    return this.#fence !== undefined ? 'code' : this.#plain ? 'plain' : 'markdown'
  }

  #piece(text: string, closes: boolean): Piece {
    return { start: this.#start, kind: this.#kind(), text, opens: this.#opens, closes }
  }

  #emit(text: string, closes = false): void {
    this.done.push(this.#piece(text, closes))
    this.#start += text.length
    this.#opens = false
  }

  /** Cuts what is too long to be one piece. It looks at nothing behind the limit, so chunks do not matter. */
  #cut(): void {
    const most = this.#fence !== undefined ? mostCode : mostMarkdown
    while (this.#block.length + this.#line.length > most) {
      const text = this.#block + this.#line
      const lineEnd = text.lastIndexOf('\n', most - 1) + 1
      // Never between the halves of a character beyond the first plane.
      const high = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800
      const at = lineEnd > 0 ? lineEnd : high ? most - 1 : most
      if (this.#fence === undefined) this.#plain = true
      this.#emit(text.slice(0, at))
      if (at < this.#block.length) this.#block = this.#block.slice(at)
      else {
        this.#line = this.#line.slice(at - this.#block.length)
        this.#block = ''
        this.#midLine = lineEnd === 0
      }
    }
  }

  /** Takes in a line that has ended. */
  #take(): void {
    const line = this.#line
    this.#line = ''
    const whole = !this.#midLine
    this.#midLine = false
    if (this.#fence !== undefined) {
      this.#block += line
      if (whole && this.#closed(line)) {
        this.#emit(this.#block, true)
        this.#block = ''
        this.#fence = undefined
        this.#blank = true
      }
      return
    }
    if (!whole || line.trim() === '') {
      this.#block += line
      if (whole && this.#inner === undefined) this.#blank = true
      return
    }
    const indented = /^(?:\t| [ \t])/.test(line)
    const fence = fencePattern.exec(line.trimEnd())?.[2]
    if (this.#inner !== undefined) {
      if (closesFence(line, this.#inner)) this.#inner = undefined
      else if (!indented && this.#blank) this.#inner = undefined
      this.#block += line
      return
    }
    if (fence !== undefined && !(indented && itemPattern.test(this.#block))) {
      this.#border()
      this.#fence = fence
      this.#opens = true
      this.#block = line
      return
    }
    const heading = headingPattern.test(line)
    const item = this.#block.length > longList && itemPattern.test(this.#block) && itemPattern.test(line)
    if ((this.#blank && !indented) || heading || item) this.#border()
    this.#block += line
    this.#blank = heading
    if (fence !== undefined) this.#inner = fence
  }

  /** The next line begins a piece. */
  #border(): void {
    if (this.#block) this.#emit(this.#block)
    this.#block = ''
    this.#plain = false
    this.#blank = false
  }

  #closed(line: string): boolean {
    // The line that opens is no line that closes.
    return this.#fence !== undefined && !(this.#opens && line === this.#block) && closesFence(line, this.#fence)
  }
}

function closesFence(line: string, fence: string): boolean {
  const bare = line.trim()
  return bare.length >= fence.length && bare === (fence[0] ?? '').repeat(bare.length)
}

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n', text.length - 2) + 1)
}

/** A piece of code without its fences, and the language that its fence names. */
export function codeOf(piece: Piece): { language: string; code: string } {
  let { text } = piece
  let language = ''
  if (piece.opens) {
    const end = text.indexOf('\n')
    const first = end < 0 ? text : text.slice(0, end)
    language = (/^\s*(?:`+|~+)\s*([^\s`]*)/.exec(first)?.[1] ?? '').slice(0, 32)
    text = end < 0 ? '' : text.slice(end + 1)
  }
  if (piece.closes) text = text.slice(0, text.length - lastLine(text).length)
  return { language, code: text.replace(/\n$/, '') }
}
