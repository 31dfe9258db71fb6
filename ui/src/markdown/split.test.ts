import { expect, test } from 'vitest'
import { seeded } from '../backend/fixtures/random'
import { TextFlow } from './flow.svelte'
import { parse } from './parse'
import { codeOf, mostCode, mostMarkdown, Splitter, type Piece } from './split'
import { visible } from './visible'

const morsels = [
  'A paragraph with *words* and `code`.',
  'and its second line',
  '\n',
  '\n\n',
  '\r\n',
  '# Title',
  '#tag',
  '- item',
  '1. first',
  '2. second\n',
  '  continued',
  '    indented',
  '\tafter a tab',
  '```js',
  '```',
  '````',
  '~~~',
  '  ```',
  '`',
  '| a | b |\n|---|---|\n| 1 | 2 |',
  '$$\nx^2\n$$',
  '> quoted',
  '😀',
  '\ud83d',
  '\ufffd',
  '<b>',
  ' ',
  '',
  'x'.repeat(700),
  'word '.repeat(400),
  '- again\n'.repeat(300),
]

/** A text made of what borders depend on; now and then a long one. */
function text(random: () => number): string {
  const count = Math.floor(random() * 40)
  let made = ''
  for (let i = 0; i < count; i++) {
    made += morsels[Math.floor(random() * morsels.length)] ?? ''
    if (random() < 0.5) made += '\n'
    if (random() < 0.02) made += 'y'.repeat(Math.floor(random() * 3 * mostMarkdown))
    if (random() < 0.01) made += 'code line\n'.repeat(Math.floor((random() * 2 * mostCode) / 10))
  }
  return made
}

function whole(given: string): Piece[] {
  const splitter = new Splitter()
  splitter.push(given)
  splitter.end()
  return splitter.done
}

function inChunks(given: string, random: () => number, most: number): Piece[] {
  const splitter = new Splitter()
  for (let at = 0; at < given.length;) {
    const size = 1 + Math.floor(random() * most)
    splitter.push(given.slice(at, at + size))
    at += size
    if (random() > 0.01) continue
    const shown = [...splitter.done, ...(splitter.tail ? [splitter.tail] : [])]
    expect(shown.map((piece) => piece.text).join('')).toBe(given.slice(0, at))
  }
  splitter.end()
  return splitter.done
}

test('pieces joined are the text, and none is longer than its limit', () => {
  for (let seed = 0; seed < 400; seed++) {
    const given = text(seeded(seed))
    const pieces = whole(given)
    expect(pieces.map((piece) => piece.text).join('')).toBe(given)
    let at = 0
    for (const piece of pieces) {
      expect(piece.start).toBe(at)
      expect(piece.text.length).toBeLessThanOrEqual(piece.kind === 'code' ? mostCode : mostMarkdown)
      at += piece.text.length
    }
  }
})

test('it does not matter in which chunks the text arrives', () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seeded(seed)
    const given = text(random)
    const chunk = [1, 3, 17, 400, 20_000][seed % 5] ?? 1
    // A character at a time only where the text is short: the test is to end soon.
    expect(inChunks(given, random, given.length > 10_000 ? Math.max(chunk, 200) : chunk)).toEqual(whole(given))
  }
})

test('a piece that is whole stays as it is while more arrives', () => {
  const random = seeded(7)
  const splitter = new Splitter()
  const seen: Piece[] = []
  const copies: string[] = []
  for (let i = 0; i < 300; i++) {
    splitter.push(`${text(random).slice(0, 200)}\n\n`)
    for (const piece of splitter.done.slice(seen.length)) {
      seen.push(piece)
      copies.push(JSON.stringify(piece))
    }
    expect(splitter.done.every((piece, at) => piece === seen[at] && JSON.stringify(piece) === copies[at])).toBe(true)
  }
  expect(seen.length).toBeGreaterThan(50)
})

test('borders stand where a reader sees them', () => {
  const kinds = (given: string) => whole(given).map(({ kind, text }) => [kind, text])
  expect(kinds('one\ntwo\n\nthree\n# Four\nfive\n')).toEqual([
    ['markdown', 'one\ntwo\n\n'],
    ['markdown', 'three\n'],
    ['markdown', '# Four\n'],
    ['markdown', 'five\n'],
  ])
  expect(kinds('So:\n```js\na\n\n# no title\n```\nend')).toEqual([
    ['markdown', 'So:\n'],
    ['code', '```js\na\n\n# no title\n```\n'],
    ['markdown', 'end'],
  ])
  // What belongs to an item stays with it.
  expect(kinds('- a\n\n  more\n\n  ```\n\n  x\n  ```\n- b\n')).toHaveLength(1)
  expect(kinds('a\n\n    code\n\n    code\n')).toHaveLength(1)
})

test('code has its language and none of its fences, finished or not', () => {
  const last = (given: string) => {
    const piece = whole(given).at(-1)
    return piece && codeOf(piece)
  }
  expect(last('```rust ignore\nfn main() {}\n```\n')).toEqual({ language: 'rust', code: 'fn main() {}' })
  expect(last('~~~~\n```\n~~~~')).toEqual({ language: '', code: '```' })
  expect(last('```py\nprint(1)\n\n')).toEqual({ language: 'py', code: 'print(1)\n' })
})

test('ten million characters in one line take time in proportion to their length', () => {
  const splitter = new Splitter()
  const chunk = 'never ending '.repeat(100)
  for (let length = 0; length < 10e6; length += chunk.length) {
    splitter.push(chunk)
    expect(splitter.tail?.text.length ?? 0).toBeLessThanOrEqual(mostMarkdown)
  }
  expect(splitter.done.length).toBeGreaterThan(800)
  expect(splitter.done.every(({ kind }) => kind === 'plain')).toBe(true)
})

test('reasoning stands apart, however its tags arrive', () => {
  const answer = (flow: TextFlow) =>
    flow
      .answer(Infinity)
      .pieces.map((piece) => piece.text)
      .join('')
  const reasoning = (flow: TextFlow) =>
    flow
      .reasoning(Infinity)
      .pieces.map((piece) => piece.text)
      .join('')
  for (const content of ['<think>\nHm.\n</think>\n\nYes.', 'Hm.\n</think>\n\nYes.']) {
    const flow = new TextFlow(content)
    expect([reasoning(flow).trim(), answer(flow)]).toEqual(['Hm.', 'Yes.'])
  }
  const half = new TextFlow('<think>Hm', false)
  expect(half.thinking).toBe(true)
  half.finish('<think>Hm. </think>Yes.')
  expect([reasoning(half), answer(half), half.thinking]).toEqual(['Hm. ', 'Yes.', false])
  expect(answer(new TextFlow('<thin'))).toBe('<thin')
  expect(new TextFlow('No tag').hasReasoning).toBe(false)
})

test('a gap is noticed, and what came twice is taken once', () => {
  const flow = new TextFlow('', false)
  globalThis.requestAnimationFrame ??= ((draw: FrameRequestCallback) => setTimeout(() => draw(0))) as never
  expect(flow.take(0, 'One ')).toBe(true)
  expect(flow.take(0, 'One two')).toBe(true)
  expect(flow.take(9, 'four')).toBe(false)
  expect(flow.text).toBe('One two')
})

test('what cannot be seen is made visible', () => {
  expect(visible('a\u202eb\u2066c\u0000\u001b[31m\u007f')).toBe('a[U+202E]b[U+2066]c\u2400\u241b[31m\u2421')
  expect(visible('half \ud83d, whole 😀, \udc00')).toBe('half \ufffd, whole 😀, \ufffd')
  expect(visible('tab\tline\r\nend')).toBe('tab\tline\r\nend')
})

test('formulas are found, prices are not', () => {
  const kinds = (given: string) => JSON.stringify(parse(given)).match(/"type":"formula"/g)?.length ?? 0
  expect(kinds('so $x^2$ and \\(y\\) and $$z$$')).toBe(3)
  expect(kinds('$$\nx\n- y\n$$\n')).toBe(1)
  expect(kinds('\\[\nx = 1\n\\]')).toBe(1)
  expect(kinds('It costs $5 or $6, not $7.')).toBe(0)
})

test('what only exhausts a parser comes out whole', () => {
  const hostile = [
    '[',
    '*a ',
    '**a *b ',
    '`',
    '``a`',
    '> ',
    '- ',
    '<',
    '<a ',
    '$',
    '$a ',
    '\\(',
    '![',
    '[a](',
    '_a_',
    '~',
    '|',
    '1. ',
    '&#',
    'a@',
    'http://a',
    '***',
    '[[]',
    '(',
    '<!--',
  ]
  for (const one of hostile) {
    const text = one.repeat(Math.ceil(mostMarkdown / one.length)).slice(0, mostMarkdown)
    const tokens = parse(text)
    expect(tokens.map(({ raw }) => raw).join('').length).toBe(text.length)
  }
})
