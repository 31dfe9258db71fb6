import { asErrorReport, type Backend } from '../backend/backend'
/* eslint-disable svelte/prefer-svelte-reactivity -- these maps and sets are looked into and never drawn */
import type {
  AnswerBy,
  ChatMessage,
  ChatSettings,
  ChatUpdate,
  ConsentQuestion,
  ContextMeter,
  Conversation,
  ErrorReport,
  SentTurn,
} from '../backend/types'
import { TextFlow } from '../markdown/flow.svelte'

/** How a new conversation's answers are made until the person says otherwise: as in `conversation.rs`. */
export const usualSettings: ChatSettings = {
  model: null,
  system_prompt: '',
  sampling: { temperature: 0.7, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.05, seed: 0 },
  max_tokens: 1_024,
  n_ctx: null,
}

/** What all screens with chat share: who listens to answers, and what was typed but not sent. */
export class Chat {
  /** Drafts by conversation; `new` is of the one that is not begun. */
  readonly drafts = new Map<string, string>()
  /** Settings of the conversation that is not begun. */
  fresh = $state<ChatSettings>(structuredClone(usualSettings))
  readonly #listeners = new Set<(update: ChatUpdate) => void>()

  take(update: ChatUpdate): void {
    for (const listener of this.#listeners) listener(update)
  }

  /** Calls the listener with what happens to answers, until the function that is returned is called. */
  listen(listener: (update: ChatUpdate) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** The words of answers that are being written or were. */
export class Flows {
  readonly #flows = new Map<string, TextFlow>()

  /** The words of a message. They stay the same object while it is written and after. */
  of(message: ChatMessage): TextFlow {
    let flow = this.#flows.get(message.id)
    if (!flow) this.#flows.set(message.id, (flow = new TextFlow(message.content, message.state !== 'writing')))
    return flow
  }

  /** False: words before these are missing. */
  take(update: Extract<ChatUpdate, { what: 'words' }>): boolean {
    let flow = this.#flows.get(update.message_id)
    // Words may come before the call that asked for them is answered.
    if (!flow) this.#flows.set(update.message_id, (flow = new TextFlow('', false)))
    return flow.take(update.from, update.text)
  }

  /** Brings what is known of a message up to what is stored of it. */
  renew(message: ChatMessage): void {
    const flow = this.#flows.get(message.id)
    if (!flow) return
    if (message.state !== 'writing') flow.finish(message.content)
    else flow.take(0, message.content)
  }
}

/** A conversation on the screen. */
export class OpenConversation {
  conversation = $state.raw<Conversation>()
  messages = $state.raw<ChatMessage[]>([])
  path = $state.raw<string[]>([])
  /** Whether a question may leave the device. */
  consent = $state.raw<ConsentQuestion>()
  meter = $state.raw<ContextMeter | null>(null)
  /** Why the conversation cannot be shown. */
  error = $state.raw<ErrorReport>()
  /** Why what was asked for last was not done. */
  failure = $state.raw<ErrorReport>()
  /** Something was asked for and is not answered yet. */
  busy = $state(false)
  /** The answer that is told to stop. */
  stopping = $state<string>()
  /** Tokens of the answer that is being written, and seconds since it was asked for. */
  pace = $state.raw<{ tokens: number; elapsed_s: number }>()
  readonly flows = new Flows()
  #reading: Promise<void> | undefined
  #lastPace = 0

  constructor(
    private readonly backend: Backend,
    readonly id: string,
  ) {}

  /** The messages in view. */
  get shown(): ChatMessage[] {
    const byId = new Map(this.messages.map((message) => [message.id, message]))
    return this.path.flatMap((id) => byId.get(id) ?? [])
  }

  get writing(): ChatMessage | undefined {
    return this.messages.find((message) => message.state === 'writing')
  }

  /** Reads it anew; calls at the same time are one. */
  load(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<void> {
    try {
      const { conversation, messages, path } = await this.backend.conversation(this.id)
      for (const message of messages) this.flows.renew(message)
      this.conversation = conversation
      this.messages = messages
      this.path = path
      this.error = undefined
    } catch (thrown) {
      this.error = asErrorReport(thrown)
    }
  }

  take(update: ChatUpdate): void {
    if (update.what === 'ended') {
      if (update.message.conversation_id !== this.id) return
      this.flows.renew(update.message)
      if (this.stopping === update.message.id) this.stopping = undefined
      this.pace = undefined
      this.#put(update.message)
      return
    }
    if (update.conversation_id !== this.id) return
    if (update.what === 'consent') {
      this.consent = update.consent
      return
    }
    // What came before is in what is stored.
    if (!this.flows.take(update)) void this.load()
    const now = performance.now()
    if (now - this.#lastPace < 250) return
    this.#lastPace = now
    this.pace = { tokens: update.tokens, elapsed_s: update.elapsed_s }
  }

  #put(message: ChatMessage): void {
    const at = this.messages.findIndex((known) => known.id === message.id)
    this.messages = at < 0 ? [...this.messages, message] : this.messages.with(at, message)
  }

  async #act<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.busy = true
    this.failure = undefined
    try {
      return await work()
    } catch (thrown) {
      this.failure = asErrorReport(thrown)
      return undefined
    } finally {
      this.busy = false
    }
  }

  #turn({ question, answer, consent }: SentTurn): void {
    const added = [question, answer].filter((message) => message !== null)
    for (const message of added) {
      this.flows.of(message)
      this.#put(message)
      // It follows its parent; what followed that before is another branch.
      const at = message.parent === null ? 0 : this.path.indexOf(message.parent) + 1
      this.path = [...this.path.slice(0, at), message.id]
    }
    this.consent = consent ?? undefined
  }

  /** False: it was not sent, and `failure` says why. */
  async send(text: string, insteadOf: string | null): Promise<boolean> {
    const turn = await this.#act(() =>
      this.backend.sendMessage({ conversation_id: this.id, text, instead_of: insteadOf, by: 'policy' }),
    )
    if (!turn) {
      // The question may have been kept although nobody could answer it.
      await this.load()
      return this.shown.at(-1)?.role === 'user' && this.shown.at(-1)?.content === text
    }
    this.#turn(turn)
    // A title may have been made of it.
    void this.load()
    return true
  }

  async answer(question: string, by: AnswerBy): Promise<void> {
    const turn = await this.#act(() => this.backend.answerQuestion(this.id, question, by))
    if (turn) this.#turn(turn)
  }

  async regenerate(of: string, model: string | null): Promise<void> {
    const turn = await this.#act(() => this.backend.regenerate(this.id, of, model))
    if (!turn) return
    this.#turn(turn)
    void this.load()
  }

  async stop(): Promise<void> {
    const { writing } = this
    if (!writing) return
    this.stopping = writing.id
    await this.#act(() => this.backend.stopAnswer(writing.id))
    if (this.failure) this.stopping = undefined
  }

  async show(message: string): Promise<void> {
    const view = await this.#act(() => this.backend.showBranch(this.id, message))
    if (!view) return
    this.messages = view.messages
    this.path = view.path
    this.conversation = view.conversation
  }

  async pin(message: ChatMessage): Promise<void> {
    await this.#act(() => this.backend.pinMessage(message.id, !message.pinned))
    if (!this.failure) this.#put({ ...message, pinned: !message.pinned })
  }

  async change(settings: ChatSettings): Promise<void> {
    const changed = await this.#act(() =>
      this.backend.changeConversation(this.id, { title: null, pinned: null, settings }),
    )
    if (changed) this.conversation = changed
  }

  /** How full the context is. Asked while nothing is written; it is no reason to complain if it cannot be said. */
  async measure(draft: string): Promise<void> {
    if (this.writing) return
    try {
      this.meter = await this.backend.contextMeter(this.id, draft)
    } catch {
      this.meter = null
    }
  }
}
