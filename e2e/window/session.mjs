// A session with the real app: starts WebKitWebDriver, which starts the app, and gives the few calls that the tests need.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { By, Capabilities, until, WebDriver } from 'selenium-webdriver'
import { Executor, HttpClient } from 'selenium-webdriver/http/index.js'

const shots = new URL('../shots/window/', import.meta.url)
mkdirSync(shots, { recursive: true })

export const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

export class Session {
  /** Starts the app on a data folder and waits until a person could use it. `extra`: environment on top. */
  static async start(home, extra = {}) {
    const app = process.env.POCKETBENCH_APP
    if (!app) throw new Error('POCKETBENCH_APP names the executable: use scripts/test-window')
    const port = await freePort()
    const env = { ...process.env, POCKETBENCH_HOME: home, POCKETBENCH_LOG: 'warn', POCKETBENCH_NO_TUNE: '1' }
    // Lets WebKit be driven; tauri-driver would set the same.
    Object.assign(env, { TAURI_AUTOMATION: 'true', TAURI_WEBVIEW_AUTOMATION: 'true' })
    delete env.POCKETBENCH_MODELS
    // Two sessions may share a folder: this tells whose an app is.
    Object.assign(env, extra, { WINDOW_SESSION: String(port) })
    const server = spawn('WebKitWebDriver', [`--port=${port}`], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    const capabilities = new Capabilities({ 'webkitgtk:browserOptions': { binary: app, args: [] } })
    const session = new Session(server, home, port)
    try {
      await session.connect(`http://127.0.0.1:${port}`, capabilities)
      await session.driver.wait(
        until.elementLocated(By.css('html[data-ready="true"], [data-testid="error-page"]')),
        30_000,
      )
      return session
    } catch (error) {
      await session.stop()
      throw error
    }
  }

  constructor(server, home, port) {
    Object.assign(this, { server, home, port })
  }

  async connect(address, capabilities) {
    // The driver needs a moment before it listens.
    for (let attempt = 0; ; attempt++) {
      try {
        this.driver = WebDriver.createSession(new Executor(new HttpClient(address)), capabilities)
        return await this.driver.getSession()
      } catch (error) {
        if (attempt === 20 || !/ECONNREFUSED/.test(error.message)) throw error
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
    }
  }

  /** The first visible element with this test id. */
  async see(testid, timeout = 30_000) {
    const element = await this.driver.wait(until.elementLocated(By.css(`[data-testid="${testid}"]`)), timeout)
    await this.driver.wait(until.elementIsVisible(element), timeout)
    return element
  }

  all(testid) {
    return this.driver.findElements(By.css(`[data-testid="${testid}"]`))
  }

  async has(testid) {
    return (await this.all(testid)).length > 0
  }

  async text(testid, timeout) {
    return (await this.see(testid, timeout)).getText()
  }

  async click(testid) {
    await (await this.see(testid)).click()
  }

  go(hash) {
    return this.driver.executeScript('location.hash = arguments[0]', hash)
  }

  url() {
    return this.driver.executeScript('return location.hash')
  }

  /** Waits until the address of the screen matches, and gives it. */
  async arrive(pattern, timeout) {
    await this.driver.wait(async () => pattern.test(await this.url()), timeout)
    return this.url()
  }

  /** Calls a command of the shell as the page does. */
  async command(name, args = {}) {
    const script = `const done = arguments[2];
      window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1]).then((ok) => done({ ok }), (error) => done({ error }))`
    const answer = await this.driver.executeAsyncScript(script, name, args)
    if (answer.error) throw Object.assign(new Error(JSON.stringify(answer.error)), answer.error)
    return answer.ok
  }

  async resize(size) {
    await this.driver
      .manage()
      .window()
      .setRect({ x: 0, y: 0, ...sizes[size] })
    // The page must have been laid out anew before anyone looks at it.
    await this.driver.wait(
      async () => Math.abs((await this.driver.executeScript('return innerWidth')) - sizes[size].width) <= 2,
      10_000,
    )
  }

  /** What makes the page wider than the window. */
  outside() {
    return this.driver.executeScript(`
      const { clientWidth, scrollWidth } = document.documentElement
      if (scrollWidth <= clientWidth) return []
      return [...document.querySelectorAll('body *')]
        .filter((element) => element.scrollWidth > clientWidth || element.getBoundingClientRect().right > clientWidth)
        .map((element) => element.tagName + '.' + element.className)`)
  }

  /** What is on the display: WebKitWebDriver's own screenshot never returns without a GPU. */
  async shot(name) {
    const { width, height } = await this.driver.executeScript('return { width: innerWidth, height: innerHeight }')
    // The last frame may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 300))
    const file = fileURLToPath(new URL(`${name}.png`, shots))
    execFileSync('import', ['-window', 'root', '-crop', `${width}x${height}+0+0`, '+repage', file])
  }

  /** Processes of the app, newest last: itself and its workers. */
  processes(pattern) {
    try {
      return execFileSync('pgrep', ['-f', pattern], { encoding: 'utf8' }).trim().split('\n').map(Number)
    } catch {
      return []
    }
  }

  async stop() {
    await this.driver?.quit().catch(() => {})
    this.server.kill('SIGKILL')
    // An app that outlived its driver would keep the test's output open, and the runner would wait for it for ever.
    for (const pid of this.processes(`^${process.env.POCKETBENCH_APP}`)) {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        if (environment.includes(`WINDOW_SESSION=${this.port}`)) process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}
