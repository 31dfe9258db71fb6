import { asErrorReport } from '../backend/backend'
import type { ErrorReport } from '../backend/types'

/** Something that is fetched: loading, then there or failed. While it is fetched again the old value stays. */
export class Resource<T> {
  value = $state.raw<T>()
  error = $state.raw<ErrorReport>()
  loading = $state(false)
  #latest = 0

  constructor(
    private readonly fetch: () => Promise<T>,
    private readonly onError: (error: ErrorReport) => void = () => undefined,
  ) {}

  async load(): Promise<T | undefined> {
    const turn = ++this.#latest
    this.loading = true
    try {
      const value = await this.fetch()
      // A later call may have been answered first.
      if (turn !== this.#latest) return this.value
      this.value = value
      this.error = undefined
    } catch (thrown) {
      if (turn !== this.#latest) return this.value
      this.error = asErrorReport(thrown)
      this.onError(this.error)
    } finally {
      if (turn === this.#latest) this.loading = false
    }
    return this.value
  }
}
