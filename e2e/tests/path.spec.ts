// What a person does: the one-tap path and everything that branches off it.
import type { Page } from '@playwright/test'
import { expect, expectAccessible, jobId, open, runId, test } from './page'

const ready = (page: Page) => expect(page.locator('html')).toHaveAttribute('data-ready', 'true')

test('one tap: from the first screen to a verdict', async ({ page }) => {
  await open(page, '#/', 'speed=20')
  await ready(page)
  expect(await page.evaluate(() => performance.getEntriesByName('interactive').length)).toBe(1)

  await expect(page.getByTestId('device')).toContainText('Example Phone 12')
  await expect(page.getByTestId('model-a')).not.toHaveValue('')
  await expect(page.getByTestId('model-b')).not.toHaveValue('')
  await expect(page.getByTestId('estimate')).toContainText('About')
  await page.getByTestId('start').click()

  await expect(page).toHaveURL(/#\/run\//)
  await expect(page.getByTestId('live-task')).toBeVisible()
  await expect(page.getByTestId('live-tps')).toContainText('tok/s')
  await expect(page.getByTestId('live-memory')).toContainText('of 8.10 GB')

  await expect(page).toHaveURL(/#\/results\//, { timeout: 20_000 })
  await expect(page.getByTestId('verdict')).toContainText('is the better choice on this device')
  await expect(page.getByTestId('certainty')).toContainText('Moderate')
  await expect(page.getByTestId('task-row')).toHaveCount(7)
  await expect(page.getByTestId('chart-latency').locator('svg').first()).toBeVisible()
  // Back leads to where the person chose, not to the run that is over.
  await page.goBack()
  await expect(page.getByTestId('start')).toBeVisible()
})

test('one tap without a mouse', async ({ page }) => {
  await open(page, '#/', 'speed=20')
  await ready(page)
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? '')

  async function tabTo(testid: string): Promise<void> {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab')
      const outline = await page.evaluate(() => {
        const element = document.activeElement
        return element && element !== document.body ? getComputedStyle(element).outlineStyle : 'solid'
      })
      expect(outline, 'focus is visible').not.toBe('none')
      if ((await focused()) === testid) return
    }
    throw new Error(`Tab never reaches ${testid}`)
  }

  await tabTo('suite')
  await page.keyboard.press('ArrowDown')
  await expect(page.getByTestId('suite')).toHaveValue('standard')
  await page.keyboard.press('ArrowUp')
  await tabTo('start')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/#\/results\//, { timeout: 20_000 })

  const row = page.getByTestId('task-row').first()
  await row.locator('summary').focus()
  await page.keyboard.press('Enter')
  await expect(row.getByText('Load time')).toBeVisible()
  await row.getByRole('button', { name: 'Start to first token' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByText('what a person waits at a cold start')).toBeVisible()
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await expect(page.getByText('what a person waits at a cold start')).toBeHidden()
})

test('stop, look at what there is, resume to the end', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=running&speed=12')
  await expect(page.getByTestId('live-task')).toBeVisible()
  await page.getByTestId('stop').click()
  await expect(page.getByRole('heading', { name: 'Stopped' })).toBeVisible({ timeout: 1_000 })
  const progress = await page.getByTestId('progress').innerText()

  await page.getByRole('link', { name: 'See what was measured' }).click()
  await expect(page.getByTestId('unfinished')).toBeVisible()
  await expect(page.getByTestId('certainty')).toContainText('Low')
  await page.getByRole('link', { name: 'Go to the run' }).click()
  await expect(page.getByTestId('progress')).toHaveText(progress)

  await page.getByTestId('resume').click()
  await expect(page).toHaveURL(new RegExp(`#/results/${runId}`), { timeout: 20_000 })
  await expect(page.getByTestId('unfinished')).toBeHidden()
})

test('pause, and resume at the first task that is missing', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=running&speed=12')
  await expect(page.getByTestId('live-task')).toBeVisible()
  await expect(page.getByTestId('live-celsius')).toContainText('°C')
  await page.getByTestId('pause').click()
  await expect(page.getByRole('heading', { name: 'Paused' })).toBeVisible({ timeout: 1_000 })
  await expect(page.getByTestId('pause')).toHaveCount(0)
  const progress = await page.getByTestId('progress').innerText()
  await page.waitForTimeout(500)
  await expect(page.getByTestId('progress')).toHaveText(progress)
  await page.getByTestId('resume').click()
  await expect(page).toHaveURL(new RegExp(`#/results/${runId}`), { timeout: 20_000 })
  await expect(page.getByTestId('unfinished')).toBeHidden()
})

test('a paused run can be stopped', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=paused')
  await page.getByTestId('stop').click()
  await expect(page.getByRole('heading', { name: 'Stopped' })).toBeVisible()
})

test('a sustained run cools down between models and tells how far it is', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=cooling&speed=1')
  await expect(page.getByTestId('cooling')).toContainText('Cooling down to 42')
  await expect(page.getByTestId('live-repetition')).toContainText('of 10:00 min')
  await expect(page.getByTestId('cooling')).toHaveCount(0)
})

test('the tray stops and resumes from any screen', async ({ page }) => {
  await open(page, '#/results', 'scenario=running&speed=2')
  await expect(page.getByTestId('job-tray-button')).toContainText('1 running')
  await page.getByTestId('job-tray-button').click()
  await page.getByTestId('tray-stop').click()
  await page.getByTestId('tray-resume').click()
  await expect(page.getByTestId('tray-stop')).toBeVisible()
  await page.getByTestId('job-tray').getByRole('link').first().click()
  await expect(page.getByTestId('job-tray')).toBeHidden()
  await expect(page.getByTestId('live-task')).toBeVisible()
})

test('text from a model stays text', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=running&hold=9')
  await expect(page.getByTestId('live-text')).toContainText('<b onclick="alert(1)">')
  expect(await page.getByTestId('live-text').evaluate((element) => element.children.length)).toBe(0)
  expect(await page.getByTestId('live-text').evaluate((element) => element.childNodes.length)).toBe(1)

  await page.goto(`/?lang=en#/results/${runId}`)
  await page.getByTestId('samples').locator('summary').first().click()
  await page.getByTestId('samples-filter').selectOption('code-1')
  const sample = page.getByTestId('sample').first()
  await sample.locator('summary').click()
  await expect(sample).toContainText('<b onclick="alert(1)">')
  expect(await sample.locator('b').count()).toBe(0)
})

test('one model alone', async ({ page }) => {
  await open(page, '#/', 'speed=20')
  await page.getByTestId('model-b').selectOption('')
  await expect(page.getByTestId('start')).toHaveText('Measure this one')
  await page.getByTestId('start').click()
  await expect(page.getByTestId('verdict')).toContainText('was measured alone', { timeout: 20_000 })
  await expect(page.getByTestId('winner')).toHaveCount(0)
})

test('prompts of one’s own are measured, and again', async ({ page }) => {
  await open(page, '#/', 'speed=20')
  await page.getByTestId('suite').selectOption('custom')
  await expect(page.getByTestId('start')).toBeDisabled()
  await expect(page.getByTestId('estimate')).toContainText('Write at least one prompt')
  await page.getByTestId('own-prompt').fill('Explain to a child why bread rises.')
  await page.getByTestId('own-add').click()
  await page.getByTestId('own-prompt').nth(1).fill('And cake?')
  await page.getByTestId('own-repetitions').fill('2')
  await page.getByTestId('own-fixed').check()
  // What was written is still there after a look at another screen.
  await page.getByTestId('nav-models').click()
  await page.getByTestId('nav-bench').click()
  await page.getByTestId('suite').selectOption('custom')
  await expect(page.getByTestId('own-prompt')).toHaveCount(2)
  await page.getByTestId('start').click()
  await expect(page.getByTestId('task-row')).toHaveCount(2, { timeout: 20_000 })
  await expect(page.getByTestId('task-row').first()).toContainText('Explain to a child why bread rises.')
  await page.getByTestId('run-again').click()
  await expect(page.getByTestId('live-task')).toHaveText('Explain to a child why bread rises.')
})

test('a sustained run lasts as long as it is told, within limits', async ({ page }) => {
  await open(page, '#/')
  await page.getByTestId('suite').selectOption('sustained')
  await expect(page.getByTestId('estimate')).toContainText('About 20 min')
  await page.getByTestId('minutes').fill('30')
  await expect(page.getByTestId('estimate')).toContainText('About 60 min')
  await page.getByTestId('minutes').fill('0')
  await expect(page.getByTestId('estimate')).toContainText('must last 1 to 3600 seconds')
  await page.getByTestId('start').click()
  await expect(page.getByTestId('error-note')).toContainText('Correct that value')
})

test('a sweep takes one model', async ({ page }) => {
  await open(page, '#/', 'speed=20')
  await expect(page.getByTestId('model-b')).toBeVisible()
  await page.getByTestId('suite').selectOption('threads')
  await expect(page.getByTestId('model-b')).toHaveCount(0)
  await expect(page.getByTestId('start')).toHaveText('Measure this one')
  await page.getByTestId('suite').selectOption('quick')
  await expect(page.getByTestId('model-b')).not.toHaveValue('')
})

test('more threads than cores are refused with the reason', async ({ page }) => {
  await open(page, '#/')
  await page.locator('summary', { hasText: 'Settings' }).click()
  await page.getByTestId('threads').fill('64')
  await page.getByTestId('start').click()
  await expect(page.getByTestId('error-note')).toContainText('64 threads were asked for, and this device has 8')
  await expect(page.getByTestId('error-note')).toContainText('wait for each other')
  await page.getByTestId('threads').fill('2')
  await page.getByTestId('start').click()
  await expect(page.getByTestId('live-task')).toBeVisible()
})

test('the device’s page says what it has and what it lacks', async ({ page }) => {
  await open(page, '#/')
  await page.getByTestId('device-link').click()
  await expect(page.getByTestId('device-cores')).toContainText('4 cores up to 2.80')
  await expect(page.getByTestId('device-cores')).toContainText('libggml-cpu-android_armv8.2_2.so')
  await expect(page.getByTestId('device-memory')).toContainText('Memory gives 14.0 GB/s, read by 8 threads')
  await page.getByTestId('measure-bandwidth').click()
  await expect(page.getByTestId('device-memory')).toContainText('Memory gives 20.6 GB/s')
  const sensor = (name: string) => page.getByTestId('sensor').filter({ hasText: name })
  await expect(sensor('Processor, temperature')).toContainText('38.2')
  await expect(sensor('Energy counter')).toContainText('There is none, or this account may not read it')
  await page.getByTestId('read-again').click()
  await expect(page.getByTestId('read-again')).toBeEnabled()

  await page.goto('/')
  await open(page, '#/device', 'scenario=partial')
  await expect(sensor('Processor, temperature')).toContainText('No such sensor, or not readable')
  await expect(page.getByTestId('device-cores')).toContainText('does not tell fast cores from slow ones')
  await expect(page.getByTestId('device-memory')).toContainText('Not measured yet')
})

test('what cannot be picked says why', async ({ page }) => {
  await open(page, '#/')
  const broken = page.getByTestId('model-a').locator('option', { hasText: 'half-a-download.gguf' })
  await expect(broken).toBeDisabled()
  await page.getByTestId('unusable').locator('summary').click()
  await expect(page.getByTestId('unusable')).toContainText('The model file is cut off')
  await expect(page.getByTestId('unusable')).toContainText('Download it again')

  const b = await page.getByTestId('model-b').inputValue()
  await page.getByTestId('model-a').selectOption(b)
  await expect(page.getByRole('alert')).toContainText('Pick two different models')
  await expect(page.getByTestId('start')).toBeDisabled()
})

test('a file can be added', async ({ page }) => {
  await open(page, '#/')
  await page.getByTestId('add-model').click()
  await expect(page.getByTestId('model-b')).toHaveValue(/Example-360M-Chat/)
})

test('export says where the file is', async ({ page }) => {
  await open(page, `#/results/${runId}`)
  await page.getByTestId('export').locator('summary').click()
  await page.getByTestId('export-csv').click()
  await expect(page.getByTestId('export-status')).toContainText('pocketbench.csv')
})

test('run again measures the same models', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'speed=2')
  await page.getByTestId('run-again').click()
  await expect(page.getByTestId('live-task')).toBeVisible()
})

test('every chart has its table', async ({ page }) => {
  await open(page, `#/results/${runId}`)
  for (const chart of ['chart-latency', 'chart-memory', 'chart-load']) {
    const figure = page.getByTestId(chart)
    await expect(figure.locator('figcaption')).not.toBeEmpty()
    await figure.getByText('Table', { exact: true }).click()
    await expect(figure.getByRole('table')).toBeVisible()
    await expect(figure.locator('svg[viewBox]').filter({ has: page.locator('g') })).toHaveCount(0)
  }
  await expect(page.getByTestId('chart-memory').getByRole('table')).toContainText('KV cache')
  await page.getByTestId('chart-latency-figure').selectOption('ttft_ms')
  await expect(page.getByTestId('chart-latency').getByRole('table')).toContainText('ms')
})

test('a sustained result shows its course, and what is left of the speed', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'scenario=sustained')
  const chart = page.getByTestId('chart-curve')
  await expect(chart.locator('svg').first()).toBeVisible()
  await expect(chart.locator('figcaption')).toContainText(/in the first minute.*in the last third; 6\d% is left/)
  await expect(chart.locator('figcaption')).toContainText(/From 38\s°C up to 71\s°C/)
  await chart.getByText('Table', { exact: true }).click()
  await expect(chart.getByRole('row')).toHaveCount(21)
  await page.getByTestId('provenance').locator('summary').click()
  await expect(page.getByTestId('provenance')).toContainText('from 70.6 °C to 41.8 °C: cool enough')
  await expect(page.getByTestId('provenance')).toContainText('1 at 3.19 GHz, 4 at 2.80 GHz, 3 at 2.02 GHz')
  await expect(page.getByTestId('provenance')).toContainText('Processor, Battery, energy from the battery')
})

test('a sweep marks the best settings and says so', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'scenario=sweep')
  await expect(page.getByTestId('verdict')).toContainText(/4 threads or 5 threads is best for .* as good as 1 thread/)
  await expect(page.getByTestId('sweep-row')).toHaveCount(6)
  await expect(page.getByTestId('winner')).toHaveCount(0)
  await expect(page.getByTestId('sweep-row').nth(3).getByTestId('best')).toHaveCount(2)
  await expect(page.getByTestId('sweep-row').nth(0).getByTestId('best')).toHaveCount(0)
  const chart = page.getByTestId('chart-sweep')
  await expect(chart.locator('figcaption')).toContainText('5 threads: ')
  await chart.getByTestId('chart-sweep-figure').selectOption('tg64 peak_rss_bytes')
  await expect(chart.locator('figcaption')).toContainText('makes no real difference')
})

test('flags, conditions and missing energy have their reasons', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'scenario=failedcell')
  const row = page.locator('[data-task=math-1]')
  await row.locator('summary').click()
  await expect(row).toContainText('A charger was plugged in during 3 repetitions')
  await expect(row).toContainText('The battery was down to 17%')
  await expect(row).toContainText('1 sensor showed the same value all the time')
  await expect(row).toContainText('Energy a token')
  await page.getByTestId('samples').locator('summary').first().click()
  await page.getByTestId('samples-filter').selectOption('math-1')
  await expect(page.getByTestId('sample').nth(2)).toContainText('temperature stood still')
  await page.getByTestId('samples-filter').selectOption('qa-1')
  await expect(page.getByTestId('sample').first()).toContainText(/Processor 4\d\.\d\s°C/)
  await expect(page.getByTestId('sample').first()).toContainText('J from the battery')

  await page.goto('/')
  await open(page, `#/results/${runId}`, 'scenario=partial')
  const qa = page.locator('[data-task=qa-1]')
  await qa.locator('summary').click()
  await expect(qa.getByTestId('no-energy')).toContainText('No counter of energy can be read here')
})

test('no winner is marked where there is none', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'scenario=nodifference')
  await expect(page.getByTestId('verdict')).toContainText('no real difference')
  await expect(page.getByTestId('winner')).toHaveCount(0)
})

test('a cold start over its limit says what would meet it', async ({ page }) => {
  await open(page, `#/results/${runId}`)
  await expect(page.getByTestId('cold-start')).toHaveCount(0)
  await open(page, `#/results/${runId}`, 'scenario=tradeoff')
  const advice = page.getByTestId('cold-start').getByRole('listitem')
  await expect(advice.first()).toContainText(/Q2_K.*÷/)
  await expect(advice.last()).toContainText('into memory before it is needed')
})

test('a failed cell says why and what would work instead', async ({ page }) => {
  await open(page, `#/results/${runId}`, 'scenario=failedcell')
  await expect(page.getByTestId('failed-cell')).toContainText('ended the worker')
  await expect(page.getByTestId('failed-cell')).toContainText('smaller quantization')
  await expect(page.getByTestId('doubts')).toContainText('1 of 14 cells could not be measured')
})

test('published claims stand apart from results, with the arithmetic', async ({ page }) => {
  await open(page, '#/results')
  await page.getByTestId('claims-link').click()
  await expect(page).toHaveURL(/#\/claims$/)
  await expect(page.getByTestId('nav-results')).toHaveAttribute('aria-current', 'page')
  await expect(page.getByTestId('claim-set')).toContainText('Claimed, not measured')

  const finding = page.getByTestId('finding').first()
  await expect(finding).toHaveAttribute('data-standing', 'fails')
  await expect(finding).toContainText('Not physically possible')
  await expect(finding).toContainText('Xiaomi MiMo-7B-SFT · Short answers · Whole answer: 127 ms')
  await expect(finding).toContainText(
    'if each reads 3.80 GB of weights once, memory must give 1.50 TB/s to 2.99 TB/s. It gives 76.8 GB/s, at most 20 tok/s, so the answer takes at least 2.47 s.',
  )
  // Hollow: the plate shows through every mark.
  const fills = await page
    .locator('[data-testid=chart-claims] [aria-label=dot]')
    .evaluateAll((marks) => marks.map((mark) => mark.getAttribute('fill')))
  expect(new Set(fills)).toEqual(new Set(['var(--colour-plate)']))
})

test('an error that takes the window can be tried again', async ({ page }) => {
  await open(page, '#/', 'scenario=already-running')
  await expect(page.getByTestId('error-page')).toContainText('Pocketbench is already open')
  await page.getByTestId('retry').click()
  await expect(page.getByTestId('error-page')).toContainText('Use the window that is open already')
})

test('the language can be chosen and stays', async ({ page }) => {
  await page.goto('/#/')
  await page.getByTestId('language').selectOption('es')
  await expect(page.getByTestId('start')).toHaveText('Comparar estos dos')
  await page.reload()
  await expect(page.getByTestId('start')).toHaveText('Comparar estos dos')
})

test('an idle screen does nothing at all', async ({ page }) => {
  await page.addInitScript(() => {
    const counts = { calls: 0 }
    Object.assign(window, { counts })
    for (const name of ['requestAnimationFrame', 'setTimeout', 'setInterval', 'requestIdleCallback'] as const) {
      const original = window[name] as (...args: unknown[]) => number
      Object.assign(window, {
        [name]: (...args: unknown[]) => {
          counts.calls += 1
          return original.apply(window, args)
        },
      })
    }
  })
  const calls = () => page.evaluate(() => (window as unknown as { counts: { calls: number } }).counts.calls)
  for (const hash of ['#/', '#/device', '#/models', '#/models/example-4b-thinker', '#/results', `#/results/${runId}`]) {
    await open(page, hash)
    await page.waitForTimeout(700)
    const before = await calls()
    await page.waitForTimeout(700)
    expect((await calls()) - before, hash).toBe(0)
    expect(await page.evaluate(() => document.getAnimations().length), hash).toBe(0)
  }
})

test('charts are loaded only where they are shown', async ({ page }) => {
  const loaded: string[] = []
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname))
  await open(page, '#/')
  await ready(page)
  expect(loaded.filter((path) => path.includes('plots'))).toEqual([])
  await page.goto(`/?lang=en#/results/${runId}`)
  await expect(page.getByTestId('chart-latency').locator('svg').first()).toBeVisible()
  expect(loaded.filter((path) => path.includes('plots'))).not.toEqual([])
})

test('a device is tuned, shows why, and forgets it', async ({ page }) => {
  await open(page, '#/device', 'speed=20')
  await expect(page.getByTestId('tuned-threads')).toHaveText('2')
  await page.getByTestId('forget-tuning').click()
  await expect(page.getByTestId('untuned')).toContainText('found by itself')
  await page.getByTestId('tune-automatic').uncheck()
  await expect(page.getByTestId('untuned')).toContainText('defaults')
  await page.getByTestId('tune-extent').selectOption('quick')
  await page.getByTestId('tune').click()
  await page.getByTestId('tuning-evidence').locator('summary').click()
  await expect(page.getByTestId('tuning-step')).toHaveCount(2)
  await expect(page.getByTestId('tuning-chosen').first()).toContainText('none is really faster')
  await page.getByTestId('tuning-run').first().click()
  await expect(page).toHaveURL(/#\/results\//)
})

test('the tuning before a first run can be skipped', async ({ page }) => {
  await open(page, `#/run/${jobId}`, 'scenario=tuning&speed=1')
  await expect(page.getByTestId('tuning-first')).toContainText('First run on this device')
  await page.getByTestId('skip-tuning').click()
  await expect(page.getByTestId('tuning-first')).toHaveCount(0)
  await expect(page.getByTestId('live-task')).toBeVisible()
})

test('decode stands beside the limit of memory, and what cannot be is marked', async ({ page }) => {
  await open(page, `#/results/${runId}`)
  const task = page.locator('[data-testid=task-row][data-task="qa-1"]')
  await task.locator('summary').click()
  await expect(task.getByTestId('limit')).toContainText('Memory gives 14.0 GB/s, read by 8 threads')
  await expect(task.getByTestId('limit')).toContainText(/tok\/s\s*\d+% reached\s*14\.0\s+GB\/s ÷ .*a token/)
  await expect(page.getByTestId('impossible')).toHaveCount(0)
  await expect(page.locator('[data-task="batch-1"]').getByTestId('limit')).toHaveCount(0)

  await open(page, `#/results/${runId}`, 'scenario=withheld')
  await expect(page.getByTestId('impossible-note')).toContainText('not physically possible')
  await expect(page.getByTestId('impossible')).toHaveCount(8)
  await expect(task.getByTestId('impossible').first()).toHaveText('Not physically possible')
  await open(page, `#/results/${runId}`, 'scenario=nodifference')
  await task.locator('summary').click()
  await expect(task.getByTestId('limit')).toContainText('The bandwidth of this memory was not measured')
})

test('the bandwidth of this device is measured on demand', async ({ page }) => {
  await open(page, '#/claims', 'scenario=partial')
  const here = page.getByTestId('claims-here')
  await expect(here).toContainText('not known yet')
  await here.getByRole('button', { name: 'Measure the bandwidth' }).click()
  await expect(here).toContainText('Memory gives 20.6 GB/s, read by 8 threads')
  await expect(here).toContainText('at most 5.4 tok/s (3.80 GB a token)')
})
