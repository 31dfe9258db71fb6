import type { LiveUpdate } from '../backend/types'

/** How often the readouts may change. A person cannot read faster, and every redraw disturbs the measurement. */
const readoutMs = 250
/** Length of the sparkline in time. */
const traceMs = 60_000
/** Most of an answer that is kept for a screen that is opened late. */
const keptText = 8_000

/** A point of the sparkline. Points of one `sequence` are joined. */
export interface TracePoint {
  at: number
  slot: number
  sequence: number
  rate: number
}

/**
 * The present moment of the run that is running. Updates are gathered and handed on at most once a frame: the text
 * to whoever writes it into the page, the readouts at most four times a second.
 */
export class LiveRun {
  /** The update that the readouts show. */
  shown = $state.raw<LiveUpdate>()
  /** Rates of the last minute, oldest first. Replaced, never changed, when `shown` is. */
  trace = $state.raw<TracePoint[]>([])

  #text = ''
  #latest: LiveUpdate | undefined
  #points: TracePoint[] = []
  #pending = ''
  #restart = false
  #framed = false
  #lastReadout = 0
  #writer: ((text: string, restart: boolean) => void) | undefined

  /** The answer so far, or its end where it is long. */
  get text(): string {
    return this.#text
  }

  /** Sends the text of every frame to `writer` until the function that is returned is called. */
  write(writer: (text: string, restart: boolean) => void): () => void {
    this.#writer = writer
    writer(this.#text, true)
    return () => {
      if (this.#writer === writer) this.#writer = undefined
    }
  }

  take(update: LiveUpdate): void {
    const before = this.#latest
    if (before?.run_id !== update.run_id) this.#points = []
    if (before?.run_id !== update.run_id || before.sequence !== update.sequence) {
      this.#pending = ''
      this.#text = ''
      this.#restart = true
    }
    this.#latest = update
    this.#pending += update.text
    this.#text = (this.#text + update.text).slice(-keptText)
    if (update.tokens_per_s !== null) {
      const at = performance.now()
      this.#points.push({ at, slot: update.slot, sequence: update.sequence, rate: update.tokens_per_s })
      while (at - (this.#points[0]?.at ?? at) > traceMs) this.#points.shift()
    }
    if (this.#framed) return
    this.#framed = true
    requestAnimationFrame((now) => this.#flush(now))
  }

  #flush(now: number): void {
    this.#framed = false
    if (this.#pending || this.#restart) this.#writer?.(this.#pending, this.#restart)
    this.#pending = ''
    this.#restart = false
    const changedTask = this.shown?.sequence !== this.#latest?.sequence
    if (changedTask || now - this.#lastReadout >= readoutMs) {
      this.#lastReadout = now
      this.shown = this.#latest
      this.trace = [...this.#points]
    }
  }
}
