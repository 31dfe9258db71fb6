// What a person does with models: find one, fetch it, take one in, delete one. On the fake backend.
import { expect, open, test } from './page'

test('the first tap of a newcomer fetches two models and then compares them', async ({ page }) => {
  await open(page, '#/', 'scenario=empty&speed=20')
  await page.getByTestId('get-both').click()
  await expect(page.getByTestId('model-a')).toBeVisible()
  await expect(page.getByTestId('start')).toBeEnabled()
  await expect(page.getByTestId('model-a')).toHaveValue(/example-1b-chat/)
  await expect(page.getByTestId('model-b')).toHaveValue(/specimen-1\.7b/)
  await expect(page.getByTestId('get-both-plate')).toHaveCount(0)
})

test('a download is paused, resumed and ends in the library', async ({ page }) => {
  // It stands still after a few updates, so that the slowest machine can press the button in time.
  await open(page, '#/models', 'scenario=empty&speed=20&hold=5')
  const card = page.locator('[data-model="example-1b-chat"]')
  await expect(card).toContainText('recommended here')
  await card.getByTestId('download').click()
  await card.getByTestId('pause').click()
  await expect(card).toContainText('Paused')
  // A paused download can be found in the tray, too, and outlives the screen.
  await page.getByTestId('nav-bench').click()
  await page.getByTestId('nav-models').click()
  await card.getByTestId('resume').click()
  await expect(card).toContainText('On this device')
  const row = page.getByTestId('library-row')
  await expect(row).toContainText('Example 1B Chat')
  await row.getByRole('link').click()
  await expect(page.getByTestId('fit-table')).toBeVisible()
  await expect(page.getByText('example/example-1b-chat-GGUF').first()).toBeVisible()
})

test('a licence is accepted before its model can be fetched', async ({ page }) => {
  await open(page, '#/models', 'speed=20')
  const card = page.locator('[data-model="gated-3b-instruct"]')
  await expect(card.getByTestId('download')).toBeDisabled()
  await card.getByRole('checkbox').check()
  await card.getByTestId('download').click()
  await expect(card).toContainText('On this device')
})

for (const [scenario, says] of [
  ['offline', 'The host cannot be reached'],
  ['gated', 'The host wants a token'],
  ['disk-full', 'The disk is full'],
  ['checksum', 'The file is not the one expected'],
] as const) {
  test(`a download that fails says why: ${scenario}`, async ({ page }) => {
    await open(page, '#/models', `scenario=${scenario}&speed=20`)
    const card = page.locator('[data-model="specimen-1.7b-instruct"]')
    await card.getByTestId('download').click()
    await expect(card.getByTestId('error-note')).toContainText(says)
    await expect(card.getByTestId('resume')).toBeVisible()
  })
}

test('a download that was discarded can be begun anew', async ({ page }) => {
  await open(page, '#/models', 'scenario=empty&speed=20&hold=5')
  const card = page.locator('[data-model="example-1b-chat"]')
  await card.getByTestId('download').click()
  await card.getByTestId('stop').click()
  await expect(card.getByTestId('resume')).toBeVisible()
  await page.getByTestId('partial').getByRole('button', { name: 'Discard' }).click()
  await expect(page.getByTestId('partial')).toHaveCount(0)
  await expect(card.getByTestId('download')).toHaveText('Download')
})

test('settings of downloads are kept, and what is wrong stands beside them', async ({ page }) => {
  await open(page, '#/models')
  const settings = page.getByTestId('download-settings')
  await settings.locator('summary').first().click()
  await settings.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByTestId('settings-status')).toHaveText('Saved')
  await settings.getByRole('button', { name: 'Update the catalogue' }).click()
  await expect(settings.getByTestId('error-note')).toContainText('no address for a newer catalogue is set')
  // The address in the field counts, whether it was saved before or not.
  await settings.getByLabel('Address of a newer catalogue').fill('https://example.com/catalogue.json')
  await settings.getByRole('button', { name: 'Update the catalogue' }).click()
  await expect(page.getByTestId('settings-status')).toHaveText('Catalogue version 2 is in use')
})

test('another file of a model is judged before it is fetched', async ({ page }) => {
  await open(page, '#/models/example-4b-thinker')
  await expect(page.getByTestId('files-table').getByRole('row')).toHaveCount(3)
  const cell = page.getByTestId('fit-cell').first()
  await expect(cell).toContainText('2.90 GB')
  await page.getByTestId('quantization').selectOption({ index: 1 })
  await expect(cell).toContainText('3.31 GB')
})

test('a model says which runs used it', async ({ page }) => {
  await open(page, '#/models')
  await page.getByTestId('library-row').first().getByRole('link').click()
  await expect(page.getByTestId('used-by').getByRole('link')).toHaveCount(3)
  await page.getByTestId('used-by').getByRole('link').first().click()
  await expect(page.getByTestId('verdict')).toBeVisible()
})

test('searching, filtering and adding a repository', async ({ page }) => {
  await open(page, '#/models')
  const cards = page.getByTestId('catalogue-card')
  await expect(page.locator('[data-model="example-14b"]')).toBeVisible()
  const all = await cards.count()
  await page.getByTestId('filter-strength').selectOption('mathematics')
  await expect(cards).toHaveCount(2)
  await page.getByTestId('filter-strength').selectOption('')
  await page.getByTestId('filter-fits').check()
  expect(await cards.count()).toBeLessThan(all)
  await expect(page.locator('[data-model="example-14b"]')).toHaveCount(0)
  await page.getByTestId('search-models').fill('specimen')
  await expect(cards).toHaveCount(1)
  await page.getByTestId('search-models').fill('nothing like it')
  await expect(page.getByTestId('empty')).toBeVisible()

  await page.getByTestId('add-repository-input').fill('nonsense')
  await page.getByTestId('add-repository').click()
  await expect(page.getByTestId('error-note')).toContainText('This is no usable address')
  await page.getByTestId('add-repository-input').fill('someone/Novel-0.6B')
  await page.getByTestId('add-repository').click()
  await expect(cards).toHaveCount(1)
  await expect(cards).toContainText('Novel-0.6B')
  await cards.getByRole('button', { name: 'Take off the list' }).click()
  await expect(page.getByTestId('empty')).toBeVisible()
})

test('a file is picked, dropped, copied; a model is verified and deleted by the keyboard', async ({ page }) => {
  await open(page, '#/models', 'speed=20')
  const rows = page.getByTestId('library-row')
  await expect(rows.first()).toBeVisible()
  const before = await rows.count()
  await page.getByTestId('import-file').click()
  await page.getByTestId('import-copy').click()
  await expect(rows).toHaveCount(before + 1)

  await page.evaluate(() =>
    window.dispatchEvent(
      new CustomEvent('files-dropped', { detail: ['/home/tester/dropped.gguf', '/home/tester/second.gguf'] }),
    ),
  )
  await expect(page.getByTestId('import-choice')).toContainText('dropped.gguf')
  await page.getByTestId('import-reference').click()
  await expect(page.getByTestId('import-choice')).toContainText('second.gguf')
  await page.getByTestId('import-choice').getByRole('button', { name: 'Close' }).click()
  await expect(page.getByTestId('import-choice')).toHaveCount(0)
  await expect(rows).toHaveCount(before + 2)

  await rows.first().getByTestId('verify-model').click()
  await expect(rows.first()).toContainText('Checked')
  const last = rows.last().getByTestId('delete-model')
  await last.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog')).toContainText('The file stays where it is.')
  await page.keyboard.press('Escape')
  await expect(rows).toHaveCount(before + 2)
  await last.click()
  await page.getByTestId('delete-confirm').filter({ visible: true }).click()
  await expect(rows).toHaveCount(before + 1)
})

test('a model that was moved is found again', async ({ page }) => {
  await open(page, '#/models', 'scenario=partial')
  await page.getByTestId('find-model').click()
  await expect(page.getByTestId('find-model')).toHaveCount(0)
})

test('the token is kept, never shown, and forgotten', async ({ page }) => {
  await open(page, '#/models')
  await page.locator('[data-testid=download-settings] > summary').click()
  await expect(page.getByTestId('token-state')).toHaveText('None is kept')
  await page.getByTestId('token-input').fill('hf_secret')
  await page.getByRole('button', { name: 'Keep it safe' }).click()
  await expect(page.getByTestId('token-state')).toContainText('key store')
  await expect(page.getByTestId('token-input')).toHaveValue('')
  await page.getByRole('button', { name: 'Forget it' }).click()
  await expect(page.getByTestId('token-state')).toHaveText('None is kept')
})
