import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LiveUpdate } from '../backend/types'
import { LiveRun } from './live.svelte'

let frames: ((now: number) => void)[] = []
const frame = (now: number) => {
  const due = frames
  frames = []
  for (const callback of due) callback(now)
}

beforeEach(() => {
  frames = []
  vi.stubGlobal('requestAnimationFrame', (callback: (now: number) => void) => frames.push(callback))
})
afterEach(() => {
  vi.unstubAllGlobals()
})

function update(changes: Partial<LiveUpdate>): LiveUpdate {
  return {
    job_id: 'job',
    run_id: 'run',
    slot: 0,
    model: 'Model',
    task_id: 'task',
    task_title: 'Task',
    repetition: 0,
    repetitions: 3,
    warmup: false,
    sequence: 0,
    text: 'x',
    tokens_per_s: 50,
    rss_bytes: 1,
    ram_bytes: 2,
    ram_available_bytes: 1,
    celsius: null,
    thermal_status: null,
    tuning: null,
    cooling_to_c: null,
    elapsed_s: null,
    of_s: null,
    ...changes,
  }
}

test('a hundred updates are one change of the page', () => {
  const live = new LiveRun()
  const written: [string, boolean][] = []
  live.write((text, restart) => written.push([text, restart]))
  written.length = 0
  for (let i = 0; i < 100; i++) live.take(update({}))
  expect(frames).toHaveLength(1)
  expect(written).toHaveLength(0)
  frame(1000)
  expect(written).toEqual([['x'.repeat(100), true]])
  expect(frames).toHaveLength(0)
})

test('readouts change at most four times a second, text with every frame', () => {
  const live = new LiveRun()
  let pieces = 0
  live.write(() => pieces++)
  pieces = 0
  const shown = new Set<LiveUpdate | undefined>()
  for (let now = 1000; now < 2000; now += 16) {
    live.take(update({ tokens_per_s: now }))
    frame(now)
    shown.add(live.shown)
  }
  expect(pieces).toBe(63)
  expect(shown.size).toBeLessThanOrEqual(4)
})

test('a new repetition starts a new text, at once', () => {
  const live = new LiveRun()
  let page = ''
  live.write((text, restart) => (page = restart ? text : page + text))
  live.take(update({ text: 'old' }))
  frame(1000)
  live.take(update({ text: ' more' }))
  live.take(update({ text: 'new', sequence: 1 }))
  frame(1016)
  expect(page).toBe('new')
  expect(live.shown?.sequence).toBe(1)
})

test('a screen that opens late gets what was written so far, but never more than it can hold', () => {
  const live = new LiveRun()
  for (let i = 0; i < 30; i++) live.take(update({ text: 'a'.repeat(1000) }))
  live.take(update({ text: 'end' }))
  let page = ''
  live.write((text) => (page = text))
  expect(page.length).toBeLessThanOrEqual(8000)
  expect(page.endsWith('end')).toBe(true)
})
