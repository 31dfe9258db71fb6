import { Splitter, type Piece } from './split'

const opens = '<think>'
const closes = '</think>'

/** Pieces up to a place in the text, and how much there is behind it. */
export interface Shown {
  pieces: Piece[]
  hidden: number
}

/** One side of an answer: what it says, or what it thought before. */
class Section {
  splitter = new Splitter()
  length = 0

  push(text: string): void {
    this.length += text.length
    this.splitter.push(text)
  }

  shown(most: number): Shown {
    const { done } = this.splitter
    let [low, high] = [0, done.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((done[middle]?.start ?? 0) < most) low = middle + 1
      else high = middle
    }
    const pieces = done.slice(0, low)
    const last = low === done.length ? this.splitter.tail : undefined
    if (last && last.start < most) pieces.push(last)
    const end = pieces.at(-1)
    return { pieces, hidden: this.length - (end ? end.start + end.text.length : 0) }
  }
}

/**
 * The text of a message, whole or still arriving. What arrives is gathered and handed on at most once a frame. A
 * reasoning section at its beginning stands apart.
 */
export class TextFlow {
  /** Raised when there is something new to draw. */
  version = $state(0)
  /** It is reasoning now. */
  thinking = $state(false)
  /** How long it reasoned, where that was seen. */
  thoughtSeconds = $state<number>()

  #raw = ''
  #mode: 'start' | 'thinking' | 'answer' = 'start'
  #held = ''
  #answer = new Section()
  #reasoning = new Section()
  #pending = ''
  #framed = false
  #began: number | undefined

  constructor(content = '', whole = true) {
    this.#restart(content)
    if (whole) this.#end()
  }

  /** UTF-16 units that have arrived. */
  get received(): number {
    return this.#raw.length
  }

  get text(): string {
    return this.#raw
  }

  /** The pieces to draw. Read within an effect, it is read again when there is more. */
  answer(most: number): Shown {
    void this.version
    return this.#answer.shown(most)
  }

  reasoning(most: number): Shown {
    void this.version
    return this.#reasoning.shown(most)
  }

  get hasReasoning(): boolean {
    void this.version
    return this.#reasoning.length > 0
  }

  /** Takes in what begins at `from`. False: something before it is missing. */
  take(from: number, text: string): boolean {
    if (from > this.#raw.length) return false
    const fresh = text.slice(this.#raw.length - from)
    if (fresh === '') return true
    const before = this.#raw.length
    this.#raw += fresh
    this.#pending += fresh
    // Some templates open the section themselves, so that only its end is seen.
    if (this.#mode === 'answer' && this.#reasoning.length === 0)
      if (this.#raw.indexOf(closes, Math.max(0, before - closes.length)) >= 0) this.#restart(this.#raw)
    if (!this.#framed) {
      this.#framed = true
      requestAnimationFrame(() => this.#flush())
    }
    return true
  }

  /** It is whole, and this is all of it. */
  finish(content: string): void {
    this.#flush()
    if (content !== this.#raw) this.#restart(content)
    this.#end()
  }

  #flush(): void {
    this.#framed = false
    if (this.#pending === '') return
    this.#began ??= performance.now()
    this.#feed(this.#pending)
    this.#pending = ''
    this.version += 1
  }

  #restart(content: string): void {
    this.#raw = content
    this.#mode = 'start'
    this.#held = ''
    this.#pending = ''
    this.#answer = new Section()
    this.#reasoning = new Section()
    this.#feed(content.includes(closes) && !content.trimStart().startsWith(opens) ? opens + content : content)
    this.version += 1
  }

  #end(): void {
    if (this.#held) {
      const section = this.#mode === 'thinking' ? this.#reasoning : this.#answer
      section.push(this.#held)
      this.#held = ''
    }
    this.#answer.splitter.end()
    this.#reasoning.splitter.end()
    this.thinking = false
    this.version += 1
  }

  #feed(text: string): void {
    this.#held += text
    if (this.#mode === 'start') {
      const begun = this.#held.trimStart()
      if (begun.length < opens.length && opens.startsWith(begun)) return
      this.#mode = begun.startsWith(opens) ? 'thinking' : 'answer'
      if (this.#mode === 'thinking') {
        this.#held = begun.slice(opens.length).trimStart()
        this.thinking = true
      }
    }
    if (this.#mode === 'thinking') {
      const end = this.#held.indexOf(closes)
      // The end may have come only in part.
      const sure = end >= 0 ? end : Math.max(0, this.#held.length - closes.length)
      this.#reasoning.push(this.#held.slice(0, sure))
      this.#held = this.#held.slice(sure)
      if (end < 0) return
      this.#held = this.#held.slice(closes.length).trimStart()
      this.#mode = 'answer'
      this.thinking = false
      if (this.#began !== undefined) this.thoughtSeconds = (performance.now() - this.#began) / 1000
    }
    this.#answer.push(this.#held)
    this.#held = ''
  }
}
