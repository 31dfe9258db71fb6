import { beforeEach, expect, test, vi } from 'vitest'
import type { Backend } from '../backend/backend'
import { createFakeBackend } from '../backend/fake'
import { conversationId } from '../backend/fixtures/chat'
import type { ChatMessage, ChatUpdate } from '../backend/types'
import { OpenConversation } from './chat.svelte'

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => draw())
})

const id = conversationId(7)

async function opened(backend: Backend = createFakeBackend(new URLSearchParams(''))): Promise<OpenConversation> {
  const open = new OpenConversation(backend, id)
  await open.load()
  return open
}

/** A backend whose conversation ends with an answer that is being written. */
function writing(content: string): { backend: Backend; message: ChatMessage; read: () => number } {
  const backend = createFakeBackend(new URLSearchParams(''))
  let read = 0
  const message: ChatMessage = {
    id: 'answer',
    conversation_id: id,
    parent: null,
    role: 'assistant',
    content,
    pinned: false,
    created_at: '2026-03-02T10:00:00Z',
    state: 'writing',
    answer: null,
    failure: null,
  }
  const conversation = async () => {
    read += 1
    const view = await backend.conversation(id)
    view.messages.push(structuredClone(message))
    view.path.push(message.id)
    return view
  }
  return { backend: { ...createFakeBackend(new URLSearchParams('')), conversation }, message, read: () => read }
}

const words = (from: number, text: string): ChatUpdate => ({
  what: 'words',
  conversation_id: id,
  message_id: 'answer',
  from,
  text,
  tokens: 1,
  elapsed_s: 1,
})

test('words go on where what is stored ends', async () => {
  const { backend, message, read } = writing('One ')
  const open = await opened(backend)
  expect(open.flows.of(open.writing as ChatMessage).text).toBe('One ')
  open.take(words(4, 'two '))
  open.take(words(8, 'three'))
  expect(open.flows.of(message).text).toBe('One two three')
  expect(read()).toBe(1)
})

test('a gap is filled from what is stored', async () => {
  const { backend, message, read } = writing('One ')
  const open = await opened(backend)
  message.content = 'One two three four'
  open.take(words(14, 'four'))
  await vi.waitFor(() => expect(open.flows.of(message).text).toBe('One two three four'))
  expect(read()).toBe(2)
})

test('the end brings the whole text, whatever came before', async () => {
  const { backend, message } = writing('One ')
  const open = await opened(backend)
  const flow = open.flows.of(open.writing as ChatMessage)
  open.take({ what: 'ended', message: { ...message, content: 'Another text', state: 'complete' } })
  expect(flow.text).toBe('Another text')
  expect(open.writing).toBeUndefined()
})

test('words that come before the answer is known are not lost', async () => {
  const open = await opened()
  open.take(words(0, 'Early'))
  const late = { ...(open.messages[0] as ChatMessage), id: 'answer', content: '', state: 'writing' as const }
  expect(open.flows.of(late).text).toBe('Early')
})

test('what cannot be sent is said, and the conversation stays', async () => {
  const open = await opened()
  const before = open.shown.length
  expect(await open.send('   ', null)).toBe(false)
  expect(open.failure?.code).toBe('INVALID_INPUT')
  expect(open.shown).toHaveLength(before)
})
