// The chat of the fake backend: conversations in memory, and a model that has its answers ready.
import type { Backend } from './backend'
import * as made from './fixtures/chat'
import type {
  AnswerBy,
  AppEvent,
  ChatMessage,
  ChatOptions,
  ConsentQuestion,
  Conversation,
  Duel,
  DuelRanking,
  ErrorReport,
  ModelEntry,
  ProviderEntry,
  RouteDecision,
  SentTurn,
} from './types'

interface World {
  /** Answers as the scenario wants. */
  answer: <T>(value: () => T) => Promise<T>
  emit: (event: AppEvent) => void
  fail: (report: ErrorReport) => never
  empty: boolean
  speed: number
  /** After how many words an answer stands still. */
  hold: number | null
  models: () => ModelEntry[]
  providers: () => ProviderEntry[]
  measuring: () => boolean
}

interface Writing {
  message: ChatMessage
  words: string[]
  at: number
  text: string
  began: number
}

type Chat = Pick<
  Backend,
  | 'conversations'
  | 'conversation'
  | 'beginConversation'
  | 'changeConversation'
  | 'deleteConversation'
  | 'restoreConversation'
  | 'pinMessage'
  | 'showBranch'
  | 'sendMessage'
  | 'answerQuestion'
  | 'regenerate'
  | 'stopAnswer'
  | 'contextMeter'
  | 'exportConversation'
  | 'importConversation'
  | 'chatOptions'
  | 'setChatOptions'
  | 'spending'
  | 'startDuel'
  | 'voteDuel'
  | 'duelRanking'
  | 'duels'
  | 'residentModels'
  | 'unloadModels'
>

export function createFakeChat(world: World): Chat {
  const { answer, emit, fail } = world
  const all: made.Told[] = world.empty ? [] : made.conversations()
  let deleted: made.Told[] = []
  let options: ChatOptions = structuredClone(made.options)
  let counter = 1_000
  let clock = made.start + 3_600_000
  let spent = world.empty ? 0 : 1_064_800
  const duels: Duel[] = []
  const ranking: DuelRanking = world.empty ? { models: [], votes: 0, blind: 0 } : structuredClone(made.ranking)
  const writing = new Map<string, Writing>()
  /** Answers of a duel that wait for their turn. */
  const queue: Writing[] = []

  const now = () => new Date((clock += 1_000)).toISOString()
  const missing = () => fail({ code: 'NOT_FOUND', message: 'there is no such conversation' })
  const find = (id: string) => all.find((told) => told.conversation.id === id) ?? missing()
  const byMessage = (id: string) => all.find((told) => told.messages.some((message) => message.id === id)) ?? missing()

  function pathOf({ conversation, messages }: made.Told): string[] {
    const path: string[] = []
    for (let at = conversation.head; at !== null;) {
      path.unshift(at)
      at = messages.find((message) => message.id === at)?.parent ?? null
    }
    return path
  }

  const viewOf = (told: made.Told) => ({ conversation: told.conversation, messages: told.messages, path: pathOf(told) })

  function add(told: made.Told, message: Partial<ChatMessage> & Pick<ChatMessage, 'role' | 'parent'>): ChatMessage {
    counter += 1
    const full: ChatMessage = {
      id: made.messageId(counter),
      conversation_id: told.conversation.id,
      content: '',
      pinned: false,
      created_at: now(),
      state: 'complete',
      answer: null,
      failure: null,
      ...message,
    }
    told.messages.push(full)
    told.conversation.head = full.id
    told.conversation.updated_at = full.created_at
    return full
  }

  const nameOf = (path: string | null) => {
    const entry = world.models().find((known) => known.path === path)
    return {
      model:
        entry?.title ?? entry?.model?.header.name ?? fail({ code: 'INVALID_INPUT', message: 'no model is picked' }),
      sha256: entry?.model?.sha256 ?? null,
    }
  }

  /** Where a prompt goes, and whether it is to be asked first. */
  function route(text: string, by: AnswerBy): { decision: RouteDecision | null; consent: ConsentQuestion | null } {
    const { mode, threshold } = options.policy
    if (mode === 'always_local' && by === 'policy') return { decision: null, consent: null }
    const entry = world.providers().find(({ provider }) => provider.id === options.provider) ?? world.providers()[0]
    if (by === 'local') return { decision: made.decisionOf(text, 'local', threshold, 'refused'), consent: null }
    if (by === 'cloud') return { decision: made.decisionOf(text, 'cloud', threshold, 'granted'), consent: null }
    const decision = made.decisionOf(text, 'cloud', threshold, mode === 'always_ask' ? 'ask' : 'by_policy')
    if (decision.score < threshold)
      return { decision: made.decisionOf(text, 'local', threshold, 'not_needed'), consent: null }
    if (mode === 'auto' || !entry) return { decision, consent: null }
    return {
      decision,
      consent: {
        question: '',
        decision,
        provider: entry.provider.title,
        host: new URL(entry.provider.base_url).host,
        model: options.cloud_model ?? entry.provider.model ?? 'example-mini',
        at_most: entry.price ? { amount: { currency: 'USD', nanos: 1_730_000 } } : 'unknown',
      },
    }
  }

  function begin(told: made.Told, question: ChatMessage, decision: RouteDecision | null, path?: string): ChatMessage {
    if (world.measuring())
      fail({
        code: 'DEVICE_BUSY',
        message: 'a measurement is running, and an answer would disturb it',
        hint: 'Wait until it is done, or pause it.',
      })
    const cloud = decision?.route === 'cloud'
    const provider = world.providers()[0]?.provider
    const { model, sha256 } = cloud
      ? { model: provider?.model ?? 'example-mini', sha256: null }
      : nameOf(path ?? told.conversation.settings.model)
    const message = add(told, {
      role: 'assistant',
      parent: question.id,
      state: 'writing',
      answer: {
        model,
        model_sha256: sha256,
        figures: null,
        dropped_turns: 0,
        decision,
        cloud: cloud
          ? {
              provider: provider?.id ?? '',
              title: provider?.title ?? '',
              model,
              usage: null,
              first_piece_ms: null,
              took_ms: null,
              cost: 'unknown',
            }
          : null,
      },
    })
    const text = made.answerTo(question.content)
    const one = { message, words: text.match(/\s*\S+|\s+$/g) ?? [], at: 0, text, began: Date.now() }
    queue.push(one)
    write()
    return message
  }

  /** Writes one answer at a time, a word at a time. */
  function write(): void {
    if (writing.size > 0) return
    const one = queue.shift()
    if (!one) return
    writing.set(one.message.id, one)
    step(one)
  }

  function step(one: Writing): void {
    setTimeout(() => {
      if (!writing.has(one.message.id)) return
      const word = one.words[one.at]
      if (word === undefined) {
        end(one, /fail/i.test(one.text) ? 'failed' : 'complete')
        return
      }
      if (world.hold !== null && one.at >= world.hold) return
      const from = one.message.content.length
      one.message.content += word
      one.at += 1
      emit({
        kind: 'chat',
        update: {
          what: 'words',
          conversation_id: one.message.conversation_id,
          message_id: one.message.id,
          from,
          text: word,
          tokens: one.at,
          elapsed_s: one.at / 22,
        },
      })
      step(one)
    }, 40 / world.speed)
  }

  function end(one: Writing, state: 'complete' | 'stopped' | 'failed'): void {
    const { message } = one
    writing.delete(message.id)
    const told = find(message.conversation_id)
    const question = told.messages.find((other) => other.id === message.parent)?.content ?? ''
    const turn = told.messages.filter((other) => other.role === 'assistant').indexOf(message)
    message.state = state
    if (message.answer) {
      message.answer.figures = made.figuresOf(
        question,
        message.content,
        turn,
        state === 'stopped' ? 'cancelled' : 'end_of_generation',
      )
      const { cloud } = message.answer
      if (cloud) {
        cloud.usage = { prompt: 214, cached_prompt: 0, completion: made.tokensOf(message.content), reasoning: null }
        cloud.first_piece_ms = 840
        cloud.took_ms = 4_120
        cloud.cost = { amount: { currency: 'USD', nanos: 85_600 + cloud.usage.completion * 1_600 } }
        spent += 85_600 + cloud.usage.completion * 1_600
      }
    }
    emit({ kind: 'chat', update: { what: 'ended', message } })
    write()
  }

  function ask(told: made.Told, question: ChatMessage, by: AnswerBy, isNew: boolean): SentTurn {
    const { decision, consent } = route(question.content, by)
    if (consent)
      return { question: isNew ? question : null, answer: null, consent: { ...consent, question: question.id } }
    return { question: isNew ? question : null, answer: begin(told, question, decision), consent: null }
  }

  function excerpt({ conversation, messages }: made.Told, search: string): string | null | undefined {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean)
    if (words.length === 0) return null
    const holds = (text: string) => words.every((word) => text.toLowerCase().includes(word))
    const found = messages.find((message) => holds(message.content))
    if (!found) return holds(conversation.title) ? null : undefined
    const at = found.content.toLowerCase().indexOf(words[0] ?? '')
    return `${at > 30 ? '…' : ''}${found.content.slice(Math.max(0, at - 30), at + 90)}…`
  }

  return {
    conversations: (search, limit, offset) =>
      answer(() =>
        all
          .map((told) => ({ conversation: told.conversation, excerpt: excerpt(told, search) }))
          .flatMap(({ conversation, excerpt }) => (excerpt === undefined ? [] : [{ conversation, excerpt }]))
          .sort(
            (a, b) =>
              Number(b.conversation.pinned) - Number(a.conversation.pinned) ||
              b.conversation.updated_at.localeCompare(a.conversation.updated_at),
          )
          .slice(offset, offset + limit),
      ),
    conversation: (id) => answer(() => viewOf(find(id))),
    beginConversation: (settings) =>
      answer(() => {
        counter += 1
        const at = now()
        const conversation: Conversation = {
          id: made.conversationId(counter),
          title: '',
          pinned: false,
          created_at: at,
          updated_at: at,
          settings: structuredClone(settings),
          head: null,
        }
        all.push({ conversation, messages: [] })
        return conversation
      }),
    changeConversation: (id, change) =>
      answer(() => {
        const { conversation } = find(id)
        if (change.title !== null) conversation.title = change.title.trim().slice(0, 80)
        if (change.pinned !== null) conversation.pinned = change.pinned
        if (change.settings !== null) conversation.settings = structuredClone(change.settings)
        return conversation
      }),
    deleteConversation: (id) =>
      answer(() => {
        const told = find(id)
        for (const one of writing.values()) if (one.message.conversation_id === id) end(one, 'stopped')
        all.splice(all.indexOf(told), 1)
        deleted.push(told)
      }),
    restoreConversation: (id) =>
      answer(() => {
        const told = deleted.find(({ conversation }) => conversation.id === id) ?? missing()
        deleted = deleted.filter((other) => other !== told)
        all.push(told)
        return told.conversation
      }),
    pinMessage: (id, pinned) =>
      answer(() => {
        const message = byMessage(id).messages.find((one) => one.id === id)
        if (message) message.pinned = pinned
      }),
    showBranch: (id, message) =>
      answer(() => {
        const told = find(id)
        let head = message
        for (;;) {
          const below = told.messages.filter((other) => other.parent === head).at(-1)
          if (!below) break
          head = below.id
        }
        told.conversation.head = head
        return viewOf(told)
      }),
    sendMessage: ({ conversation_id, text, instead_of, by }) =>
      answer(() => {
        const told = find(conversation_id)
        if (text.trim() === '') fail({ code: 'INVALID_INPUT', message: 'a message has between one character and 1 MB' })
        if (world.measuring())
          fail({
            code: 'DEVICE_BUSY',
            message: 'a measurement is running, and an answer would disturb it',
            hint: 'Wait until it is done, or pause it.',
          })
        nameOf(told.conversation.settings.model)
        const old = told.messages.find((message) => message.id === instead_of)
        if (told.conversation.title === '') told.conversation.title = text.trim().split('\n')[0]?.slice(0, 80) ?? ''
        const question = add(told, { role: 'user', content: text, parent: old ? old.parent : told.conversation.head })
        return ask(told, question, by, true)
      }),
    answerQuestion: (id, question, by) =>
      answer(() => {
        const told = find(id)
        const message = told.messages.find((one) => one.id === question) ?? missing()
        return ask(told, message, by, false)
      }),
    regenerate: (id, of, model) =>
      answer(() => {
        const told = find(id)
        const old = told.messages.find((message) => message.id === of)
        const question = told.messages.find((message) => message.id === old?.parent) ?? missing()
        if (model) told.conversation.settings.model = model
        return { question: null, answer: begin(told, question, null), consent: null }
      }),
    stopAnswer: (id) =>
      answer(() => {
        const one = writing.get(id)
        if (one) setTimeout(() => end(one, 'stopped'), 60)
      }),
    contextMeter: (id, draft) =>
      answer(() => {
        const told = find(id)
        const path = pathOf(told)
        const onPath = path.flatMap((step) => told.messages.find((message) => message.id === step) ?? [])
        const tokens = onPath.reduce(
          (sum, message) => sum + made.tokensOf(message.content) + 8,
          draft ? made.tokensOf(draft) : 0,
        )
        const n_ctx = told.conversation.settings.n_ctx ?? 2_048
        const reserved = Math.min(told.conversation.settings.max_tokens, n_ctx / 2)
        const over = Math.max(0, tokens - (n_ctx - reserved))
        const loose = onPath.filter((message) => !message.pinned)
        let [sum, cut] = [0, 0]
        while (sum < over) sum += made.tokensOf(loose[cut++]?.content ?? '') + 8
        if (cut % 2) cut += 1
        const ids = loose.map((message) => message.id)
        return {
          tokens: Math.min(tokens, n_ctx - reserved),
          n_ctx,
          reserved,
          dropped: ids.slice(0, cut),
          next: ids.slice(0, cut + 2),
        }
      }),
    exportConversation: (id, format) =>
      answer(() => {
        find(id)
        return `/home/tester/Documents/pocketbench-chat.${format === 'markdown' ? 'md' : format}`
      }),
    importConversation: () =>
      answer(() => {
        const source = all[0] ?? made.conversations()[0]
        if (!source) return null
        counter += 1
        const told = structuredClone(source)
        told.conversation.id = made.conversationId(counter)
        told.conversation.title = `${told.conversation.title} (imported)`.slice(0, 80)
        told.conversation.updated_at = now()
        const ids = new Map(told.messages.map((message) => [message.id, made.messageId((counter += 1))]))
        for (const message of told.messages) {
          message.id = ids.get(message.id) ?? message.id
          message.conversation_id = told.conversation.id
          message.parent = message.parent === null ? null : (ids.get(message.parent) ?? null)
        }
        told.conversation.head = told.conversation.head === null ? null : (ids.get(told.conversation.head) ?? null)
        all.push(told)
        return told.conversation
      }),
    chatOptions: () => answer(() => options),
    setChatOptions: (given) =>
      answer(() => {
        options = structuredClone(given)
      }),
    spending: () =>
      answer(() => ({
        month: {
          month: { year: 2026, month: 3 },
          spent: spent > 0 ? [{ currency: 'USD', nanos: spent }] : [],
          unknown: world.empty ? 0 : 1,
        },
        budget: options.budget,
      })),
    startDuel: ({ text, models, blind, settings }) =>
      answer(() => {
        if (text.trim() === '') fail({ code: 'INVALID_INPUT', message: 'a message has between one character and 1 MB' })
        counter += 1
        const at = now()
        const told: made.Told = {
          conversation: {
            id: made.conversationId(counter),
            title: text.slice(0, 80),
            pinned: false,
            created_at: at,
            updated_at: at,
            settings: { ...structuredClone(settings), model: models[0] },
            head: null,
          },
          messages: [],
        }
        all.push(told)
        const question = add(told, { role: 'user', content: text, parent: null })
        const answers: [ChatMessage, ChatMessage] = [
          begin(told, question, null, models[0]),
          begin(told, question, null, models[1]),
        ]
        const duel: Duel = { conversation_id: told.conversation.id, question, answers, blind, vote: null }
        duels.unshift(duel)
        return duel
      }),
    voteDuel: (question, vote) =>
      answer(() => {
        const duel = duels.find((one) => one.question.id === question) ?? missing()
        if (duel.vote === null) {
          ranking.votes += 1
          ranking.blind += Number(duel.blind)
        }
        duel.vote = vote
        for (const [side, message] of duel.answers.entries()) {
          const won = vote === 'tie' ? 0.5 : vote === (side === 0 ? 'left' : 'right') ? 1 : 0
          let model = ranking.models.find(({ model_sha256 }) => model_sha256 === message.answer?.model_sha256)
          if (!model) {
            model = {
              model_sha256: message.answer?.model_sha256 ?? '',
              model: message.answer?.model ?? '',
              wins: 0,
              votes: 0,
              rating: 1_000,
              interval: null,
            }
            ranking.models.push(model)
          }
          model.wins += won
          model.votes += 1
        }
        return duel
      }),
    duelRanking: () => answer(() => ranking),
    duels: (limit) => answer(() => duels.slice(0, limit)),
    residentModels: () => answer(() => []),
    unloadModels: () => answer(() => undefined),
  }
}
