// Every screen in every state, at both sizes, light and dark: it is there, it is accessible, nothing is cut off, and a
// picture of it is left in shots/.
import type { Page } from '@playwright/test'
import {
  expect,
  expectAccessible,
  expectComfortable,
  expectNothingCutOff,
  jobId,
  open,
  runId,
  shoot,
  test,
} from './page'

interface State {
  name: string
  hash: string
  query?: string
  /** Says that the state is there. */
  shows: string
  prepare?: (page: Page) => Promise<void>
}

const result = `#/results/${runId}`
const run = `#/run/${jobId}`
const providers = '#/settings/providers'
const chat = (n: number) => `#/chat/01930000-0000-7000-c000-${String(n).padStart(12, '0')}`
const here = `#/models/${encodeURIComponent('/home/tester/.local/share/pocketbench/models/SmolLM2-135M-Instruct-Q4_1.gguf')}`

const openAll = async (page: Page) => {
  // All at once: what is opened holds more of them.
  await page.locator('main details').evaluateAll((all: HTMLDetailsElement[]) => all.forEach((one) => (one.open = true)))
  for (const label of await page.locator('figure label:has([value="table"])').all()) await label.click()
  await expect(page.getByTestId('sample').first()).toBeVisible()
}

/** Notes and table of the claims instead of their chart. */
const openClaims = async (page: Page) => {
  for (const details of await page.locator('main details').all())
    await details.evaluate((element: HTMLDetailsElement) => (element.open = true))
  await page.locator('figure label:has([value="table"])').click()
  await expect(page.locator('[data-testid=chart-claims] tbody tr')).toHaveCount(10)
}

const openProvenance = async (page: Page) => {
  await page.getByTestId('provenance').locator('summary').click()
  await expect(page.getByTestId('provenance').getByText('energy from the battery')).toBeVisible()
}

const openTray = async (page: Page) => {
  await page.getByTestId('job-tray-button').click()
  await expect(page.getByTestId('job-tray')).toBeVisible()
}

/** A download that stands still half-way, the settings open. */
const startDownload = async (page: Page) => {
  const card = page.locator('[data-model="example-1b-chat"]')
  await card.getByTestId('download').click()
  await expect(card).toContainText('257 MB of 734 MB')
  await card.getByTestId('pause').click()
  await expect(card.getByTestId('resume')).toBeVisible()
  await page.locator('[data-testid=download-settings] > summary').click()
  await expect(page.getByTestId('token-input')).toBeVisible()
}

const failDownload = async (page: Page) => {
  const card = page.locator('[data-model="example-1b-chat"]')
  await card.getByTestId('download').click()
  await expect(card.getByTestId('error-note')).toBeVisible()
}

/** The suite of the person's own, half written. */
const writeOwn = async (page: Page) => {
  await page.getByTestId('suite').selectOption('custom')
  await page.getByTestId('own-prompt').fill('Explain to a child why bread rises.')
  await page.getByTestId('own-add').click()
  await expect(page.getByTestId('estimate')).toContainText('About')
}

const pickSuite = (id: string) => async (page: Page) => {
  await page.getByTestId('suite').selectOption(id)
  await page.locator('summary', { hasText: 'What it measures' }).click()
  await expect(page.getByTestId('estimate')).toContainText('About')
}

/** More threads than there are cores, which the core refuses. */
const askTooMuch = async (page: Page) => {
  await page.locator('summary', { hasText: 'Settings' }).click()
  await page.getByTestId('threads').fill('64')
  await page.getByTestId('start').click()
  await expect(page.getByTestId('error-note')).toContainText('this device has 8')
}

const failVerify = async (page: Page) => {
  const card = page.locator('[data-provider=holysheep]')
  await card.getByTestId('verify').click()
  await expect(card.getByTestId('error-note')).toBeVisible()
}

const chatSettings = '#/settings/chat'

const openAnswerSettings = async (page: Page) => {
  await page.locator('[data-testid=chat-settings] > summary').click()
  await expect(page.getByTestId('temperature')).toBeVisible()
}

/** An answer that stands still in its middle. */
const ask = async (page: Page) => {
  await page.getByTestId('composer').fill('Show me code with threads.')
  await page.getByTestId('composer').press('Enter')
  await expect(page.getByTestId('code')).toContainText('Mutex')
}

const askConsent = async (page: Page) => {
  await page.getByTestId('mode-always_ask').check()
  await page.getByTestId('save-options').click()
  await expect(page.getByTestId('options-status')).toHaveText('Saved')
  await page.evaluate(() => (window.location.hash = '#/chat/new'))
  await page.getByTestId('composer').fill('Prove that this compiler pass keeps the order of writes.')
  await page.getByTestId('composer').press('Enter')
  await expect(page.getByTestId('consent')).toBeVisible()
}

const duel = async (page: Page) => {
  await page.getByTestId('composer').fill('Compare four kinds of bread in a table.')
  await page.getByTestId('composer').press('Enter')
  await expect(page.getByTestId('vote-left')).toBeEnabled()
  await page.getByTestId('vote-left').click()
  await expect(page.getByTestId('duel-outcome')).toBeVisible()
}

const routeAll = async (page: Page) => {
  await page.getByTestId('mode-auto').check()
  await page.locator('summary', { hasText: 'Rules for kinds of task' }).click()
  await page.getByTestId('budget').fill('5')
  await expect(page.getByTestId('hard-stop')).toBeVisible()
}

const states: State[] = [
  { name: 'bench-full', hash: '#/', shows: '[data-testid=model-a]' },
  { name: 'bench-empty', hash: '#/', query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'bench-loading', hash: '#/', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'bench-partial', hash: '#/', query: 'scenario=partial', shows: '[data-testid=model-a]' },
  { name: 'bench-error', hash: '#/', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'bench-busy', hash: '#/', query: 'scenario=running&hold=4', shows: '[data-testid=model-a]' },
  { name: 'bench-own', hash: '#/', shows: '[data-testid=model-a]', prepare: writeOwn },
  { name: 'bench-sustained', hash: '#/', shows: '[data-testid=model-a]', prepare: pickSuite('sustained') },
  { name: 'bench-sweep', hash: '#/', shows: '[data-testid=model-a]', prepare: pickSuite('threads') },
  { name: 'bench-refused', hash: '#/', shows: '[data-testid=model-a]', prepare: askTooMuch },
  {
    name: 'device-full',
    hash: '#/device',
    shows: '[data-testid=device-sensors]',
    prepare: (page) => page.locator('summary', { hasText: 'Where they are' }).click(),
  },
  { name: 'device-partial', hash: '#/device', query: 'scenario=partial', shows: '[data-testid=device-sensors]' },
  {
    name: 'device-tuning',
    hash: '#/device',
    shows: '[data-testid=tuned]',
    prepare: async (page) => {
      await page.getByTestId('tuning-evidence').locator('summary').click()
      await expect(page.getByTestId('tuning-step')).toHaveCount(5)
    },
  },
  {
    name: 'device-tuned-now',
    hash: '#/device',
    query: 'hold=6',
    shows: '[data-testid=tuned]',
    prepare: async (page) => {
      await page.getByTestId('tune').click()
      await expect(page.getByTestId('tune-stop')).toBeVisible()
    },
  },
  { name: 'device-loading', hash: '#/device', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'device-error', hash: '#/device', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'run-full', hash: run, query: 'scenario=running&hold=40', shows: '[data-testid=live-tps]' },
  { name: 'run-sustained', hash: run, query: 'scenario=sustaining&hold=40', shows: '[data-testid=live-tps]' },
  { name: 'run-tuning', hash: run, query: 'scenario=tuning&hold=6', shows: '[data-testid=tuning-first]' },
  { name: 'run-cooling', hash: run, query: 'scenario=cooling&hold=6', shows: '[data-testid=cooling]' },
  {
    name: 'run-sensorless',
    hash: run,
    query: 'scenario=partial&hold=30',
    shows: '[data-testid=resume]',
    prepare: async (page) => {
      await page.getByTestId('resume').click()
      await expect(page.getByTestId('live-celsius')).toContainText('No sensor of heat')
    },
  },
  { name: 'run-paused', hash: run, query: 'scenario=paused', shows: '[data-testid=resume]' },
  { name: 'run-queued', hash: run, query: 'scenario=queued', shows: '[data-testid=stop]' },
  { name: 'run-cancelled', hash: run, query: 'scenario=cancelled', shows: '[data-testid=resume]' },
  { name: 'run-interrupted', hash: run, query: 'scenario=interrupted', shows: '[data-testid=resume]' },
  { name: 'run-failed', hash: run, query: 'scenario=failed', shows: 'main [data-testid=error-note]' },
  { name: 'run-empty', hash: '#/run/nothing', shows: '[data-testid=empty]' },
  { name: 'run-loading', hash: run, query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'run-error', hash: run, query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'results-full', hash: '#/results', shows: '[data-testid=run]' },
  { name: 'results-empty', hash: '#/results', query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'results-loading', hash: '#/results', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'results-partial', hash: '#/results', query: 'scenario=interrupted', shows: '[data-testid=run]' },
  { name: 'results-error', hash: '#/results', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'result-full', hash: result, shows: '[data-testid=chart-memory] svg' },
  { name: 'result-tradeoff', hash: result, query: 'scenario=tradeoff', shows: '[data-testid=chart-memory] svg' },
  { name: 'result-nodifference', hash: result, query: 'scenario=nodifference', shows: '[data-testid=verdict]' },
  { name: 'result-failedcell', hash: result, query: 'scenario=failedcell', shows: '[data-testid=failed-cell]' },
  { name: 'result-withheld', hash: result, query: 'scenario=withheld', shows: '[data-testid=verdict]' },
  { name: 'result-single', hash: result, query: 'scenario=single', shows: '[data-testid=chart-latency] svg' },
  { name: 'result-partial', hash: result, query: 'scenario=partial', shows: '[data-testid=unfinished]' },
  { name: 'result-sustained', hash: result, query: 'scenario=sustained', shows: '[data-testid=chart-curve] svg' },
  { name: 'result-sweep', hash: result, query: 'scenario=sweep', shows: '[data-testid=chart-sweep] svg' },
  {
    name: 'result-sustained-opened',
    hash: result,
    query: 'scenario=sustained',
    shows: '[data-testid=verdict]',
    prepare: openAll,
  },
  {
    name: 'result-provenance',
    hash: result,
    query: 'scenario=sustained',
    shows: '[data-testid=verdict]',
    prepare: openProvenance,
  },
  {
    name: 'result-sweep-opened',
    hash: result,
    query: 'scenario=sweep',
    shows: '[data-testid=verdict]',
    prepare: openAll,
  },
  {
    name: 'result-sensorless',
    hash: result,
    query: 'scenario=partial',
    shows: '[data-testid=verdict]',
    prepare: openAll,
  },
  {
    name: 'result-opened',
    hash: result,
    query: 'scenario=failedcell',
    shows: '[data-testid=verdict]',
    prepare: openAll,
  },
  { name: 'result-empty', hash: '#/results/nothing', shows: '[data-testid=empty]' },
  { name: 'result-loading', hash: result, query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'result-error', hash: result, query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'claims-full', hash: '#/claims', shows: '[data-testid=chart-claims] svg' },
  { name: 'claims-opened', hash: '#/claims', shows: '[data-testid=finding]', prepare: openClaims },
  { name: 'claims-partial', hash: '#/claims', query: 'scenario=partial', shows: '[data-testid=chart-claims] svg' },
  { name: 'claims-empty', hash: '#/claims', query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'claims-loading', hash: '#/claims', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'claims-error', hash: '#/claims', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  {
    name: 'jobs-full',
    hash: '#/',
    query: 'scenario=running&hold=4',
    shows: '[data-testid=model-a]',
    prepare: openTray,
  },
  { name: 'jobs-failed', hash: '#/', query: 'scenario=failed', shows: '[data-testid=model-a]', prepare: openTray },
  { name: 'jobs-empty', hash: '#/', query: 'scenario=empty', shows: '[data-testid=empty]', prepare: openTray },
  {
    name: 'models-full',
    hash: '#/models',
    query: 'hold=7&speed=20',
    shows: '[data-testid=catalogue-card]',
    prepare: startDownload,
  },
  { name: 'models-empty', hash: '#/models', query: 'scenario=empty', shows: '[data-testid=catalogue-card]' },
  { name: 'models-loading', hash: '#/models', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'models-partial', hash: '#/models', query: 'scenario=partial', shows: '[data-testid=find-model]' },
  { name: 'models-error', hash: '#/models', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  {
    name: 'models-gated',
    hash: '#/models',
    query: 'scenario=gated&speed=20',
    shows: '[data-testid=catalogue-card]',
    prepare: failDownload,
  },
  { name: 'model-full', hash: '#/models/example-4b-thinker', shows: '[data-testid=fit-table]' },
  {
    name: 'model-offline',
    hash: '#/models/example-14b',
    query: 'scenario=offline',
    shows: 'main [data-testid=error-note]',
  },
  { name: 'model-here', hash: here, shows: '[data-testid=fit-table]' },
  { name: 'model-empty', hash: '#/models/nothing', shows: '[data-testid=empty]' },
  { name: 'model-loading', hash: '#/models/example-14b', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'error-already-running', hash: '#/', query: 'scenario=already-running', shows: '[data-testid=error-page]' },
  { name: 'error-database-newer', hash: '#/', query: 'scenario=database-newer', shows: '[data-testid=error-page]' },
  { name: 'error-read-only', hash: '#/', query: 'scenario=read-only', shows: '[data-testid=error-page]' },
  { name: 'unknown', hash: '#/nonsense', shows: 'h1' },
  { name: 'providers-full', hash: providers, shows: '[data-testid=provider]' },
  {
    name: 'providers-error-note',
    hash: providers,
    query: 'scenario=partial',
    shows: '[data-testid=provider]',
    prepare: failVerify,
  },
  { name: 'providers-empty', hash: providers, query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'providers-loading', hash: providers, query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'providers-error', hash: providers, query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  {
    name: 'chat-full',
    hash: '#/chat',
    shows: '[data-testid=conversation]',
    prepare: (page) => page.getByTestId('more').first().click(),
  },
  { name: 'chat-empty', hash: '#/chat', query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'chat-loading', hash: '#/chat', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'chat-error', hash: '#/chat', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'conversation-new', hash: '#/chat/new', shows: '[data-testid=composer]', prepare: openAnswerSettings },
  { name: 'conversation-table', hash: chat(6), shows: '[data-testid=code]' },
  { name: 'conversation-formula', hash: chat(4), shows: 'math' },
  { name: 'conversation-hostile', hash: chat(2), shows: '[data-testid=link]' },
  { name: 'conversation-failed', hash: chat(3), shows: 'main [data-testid=error-note]' },
  { name: 'conversation-long', hash: chat(1), shows: '[data-testid=dropped]' },
  {
    name: 'conversation-partial',
    hash: chat(7),
    query: 'hold=40&speed=40',
    shows: '[data-testid=message]',
    prepare: ask,
  },
  { name: 'conversation-gone', hash: '#/chat/nothing', shows: '[data-testid=conversation-gone]' },
  { name: 'conversation-busy', hash: chat(5), query: 'scenario=running&hold=4', shows: '[data-testid=device-busy]' },
  { name: 'conversation-consent', hash: chatSettings, shows: '[data-testid=chat-options]', prepare: askConsent },
  { name: 'duel-full', hash: '#/chat/duel', query: 'speed=50', shows: '[data-testid=ranking]', prepare: duel },
  { name: 'duel-empty', hash: '#/chat/duel', query: 'scenario=empty', shows: '[data-testid=empty]' },
  { name: 'duel-loading', hash: '#/chat/duel', query: 'scenario=loading', shows: '[data-testid=loading]' },
  { name: 'duel-error', hash: '#/chat/duel', query: 'scenario=error', shows: 'main [data-testid=error-note]' },
  { name: 'chat-settings-full', hash: chatSettings, shows: '[data-testid=chat-options]', prepare: routeAll },
  {
    name: 'chat-settings-empty',
    hash: chatSettings,
    query: 'scenario=empty',
    shows: '[data-testid=chat-options]',
    prepare: (page) => page.getByTestId('mode-auto').check(),
  },
  { name: 'chat-settings-loading', hash: chatSettings, query: 'scenario=loading', shows: '[data-testid=loading]' },
  {
    name: 'chat-settings-error',
    hash: chatSettings,
    query: 'scenario=error',
    shows: 'main [data-testid=error-note]',
  },
]

for (const state of states) {
  test(`${state.name} @shots`, async ({ page }, { project }) => {
    await open(page, state.hash, state.query)
    // A screen has its heading in every state; until then its code is still being loaded.
    await expect(page.locator('h1')).toBeAttached()
    await expect(page.locator(state.shows).first()).toBeVisible()
    await state.prepare?.(page)
    await expect(page.getByTestId('simulated')).toBeVisible()
    await expectAccessible(page, project.name.endsWith('dark'))
    await shoot(page, project.name, state.name)
    if (project.name !== 'phone-light') return

    await expectNothingCutOff(page, 'at 390 px')
    await expectComfortable(page)
    await page.setViewportSize({ width: 360, height: 780 })
    await expectNothingCutOff(page, 'at 360 px')
    await page.evaluate(() => (document.documentElement.style.fontSize = '200%'))
    await expectNothingCutOff(page, 'at 360 px with text of 200 %')
  })
}

for (const [language, words] of [
  ['es', 'La mejor opción|la mejor opción'],
  ['zh-CN', '更适合这台设备'],
] as const) {
  test(`result in ${language} @shots`, async ({ page }, { project }) => {
    await page.goto(`/?lang=${language}${result}`)
    await expect(page.getByTestId('verdict')).toHaveText(new RegExp(words))
    await expect(page.locator('html')).toHaveAttribute('lang', language)
    await expect(page.locator('[data-testid=chart-memory] svg').first()).toBeVisible()
    await expectAccessible(page, project.name.endsWith('dark'))
    await expectNothingCutOff(page, language)
    await shoot(page, project.name, `result-${language}`)
  })
}

for (const [language, words] of [
  ['es', 'Físicamente imposible'],
  ['zh-CN', '物理上不可能'],
] as const) {
  test(`claims in ${language} @shots`, async ({ page }, { project }) => {
    await page.goto(`/?lang=${language}#/claims`)
    await expect(page.getByTestId('finding').first()).toContainText(words)
    await expect(page.locator('[data-testid=chart-claims] svg').first()).toBeVisible()
    await expectAccessible(page, project.name.endsWith('dark'))
    await expectNothingCutOff(page, language)
    await shoot(page, project.name, `claims-${language}`)
  })
}

for (const [name, hash, query, shows] of [
  ['device', '#/device', '', '[data-testid=device-sensors]'],
  ['bench', '#/', '', '[data-testid=estimate]'],
  ['run-cooling', run, 'scenario=cooling&hold=6', '[data-testid=cooling]'],
  ['result-sustained', result, 'scenario=sustained', '[data-testid=chart-curve] svg'],
  ['result-sweep', result, 'scenario=sweep', '[data-testid=chart-memory] svg'],
  ['conversation', chat(4), '', 'math'],
  ['conversation-new', '#/chat/new', '', '[data-testid=composer]'],
  ['duel', '#/chat/duel', '', '[data-testid=ranking]'],
  ['chat-settings', chatSettings, '', '[data-testid=chat-options]'],
] as const) {
  for (const language of ['es', 'zh-CN']) {
    test(`${name} in ${language} @shots`, async ({ page }, { project }) => {
      await page.goto(`/?lang=${language}&${query}${hash}`)
      await expect(page.locator(shows).first()).toBeVisible()
      await expectNothingCutOff(page, language)
      await shoot(page, project.name, `${name}-${language}`)
    })
  }
}

test('live @shots', async ({ page }, { project }) => {
  await open(page, run, 'scenario=running&speed=3')
  await expect(page.getByTestId('live-task')).toHaveText('Reverse a linked list')
  await page.waitForTimeout(2_000)
  await shoot(page, project.name, 'live')
})
