// How long the app takes from its process to a screen that can be used, and what it costs while nobody touches it.
// Started by scripts/bench; prints rows of a Markdown table. Needs Linux.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Session } from './session.mjs'

const print = (line) => process.stdout.write(`${line}\n`)
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
const bootMs = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))[1]) * 1000
const stat = (pid) => {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}
const startedMs = (pid) => bootMs + (Number(stat(pid)[19]) * 1000) / ticks
const cpuSeconds = (pids) => pids.reduce((sum, pid) => sum + (Number(stat(pid)[11]) + Number(stat(pid)[12])) / ticks, 0)
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** The app and every process below it. */
function family(root) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const found = [root]
  for (let grew = true; grew;) {
    grew = false
    for (const pid of all.map(Number)) {
      try {
        if (!found.includes(pid) && found.includes(Number(stat(pid)[1]))) {
          found.push(pid)
          grew = true
        }
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  return found
}

/** Milliseconds from the start of a plain process, without a driver, to its first command: it locks its data folder. */
async function firstCommand() {
  const home = mkdtempSync(join(tmpdir(), 'pocketbench-startup-'))
  const start = performance.now()
  const app = spawn(process.env.POCKETBENCH_APP, { env: { ...process.env, POCKETBENCH_HOME: home }, stdio: 'ignore' })
  while (!existsSync(join(home, 'pocketbench.lock'))) await new Promise((resolve) => setTimeout(resolve, 2))
  const ms = performance.now() - start
  app.kill('SIGKILL')
  await new Promise((resolve) => app.once('exit', resolve))
  rmSync(home, { recursive: true, force: true })
  return ms
}

const plain = []
for (let i = 0; i < 6; i++) plain.push(await firstCommand())
plain.shift()

const home = mkdtempSync(join(tmpdir(), 'pocketbench-startup-'))
const starts = []
const pages = []
let idle
for (let i = 0; i < 6; i++) {
  const session = await Session.start(home)
  const [pid] = session.processes(`${process.env.POCKETBENCH_APP}$`)
  const [origin, interactive] = await session.driver.executeScript(
    "return [performance.timeOrigin, performance.getEntriesByName('interactive')[0].startTime]",
  )
  // The first start makes the database and is not counted.
  if (i > 0) {
    starts.push(origin + interactive - startedMs(pid))
    pages.push(interactive)
  }
  if (i === 5) {
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const before = cpuSeconds(family(pid))
    await new Promise((resolve) => setTimeout(resolve, 20_000))
    idle = ((cpuSeconds(family(pid)) - before) / 20) * 100
  }
  await session.stop()
}
rmSync(home, { recursive: true, force: true })
print(`| process start to the page's first command, median of 5 | ${median(plain).toFixed(0)} ms |`)
print(`| page's own time until it can be used, its commands included | ${median(pages).toFixed(0)} ms |`)
print(`| process start to interactive screen while WebDriver watches | ${median(starts).toFixed(0)} ms |`)
print(`| idle app and its web view, over 20 s | ${idle.toFixed(2)} % of one core |`)
