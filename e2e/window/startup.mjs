// How long the app takes from its process to a screen that can be used, and what it costs while nobody touches it.
// Started by scripts/bench; prints rows of a Markdown table. Needs Linux.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Session } from './session.mjs'

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
  for (let grew = true; grew; ) {
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

const home = mkdtempSync(join(tmpdir(), 'pocketbench-startup-'))
const starts = []
let idle
for (let i = 0; i < 6; i++) {
  const session = await Session.start(home)
  const [pid] = session.processes(`${process.env.POCKETBENCH_APP}$`)
  const at = await session.driver.executeScript(
    "return performance.timeOrigin + performance.getEntriesByName('interactive')[0].startTime",
  )
  // The first start makes the database and is not counted.
  if (i > 0) starts.push(at - startedMs(pid))
  if (i === 5) {
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const before = cpuSeconds(family(pid))
    await new Promise((resolve) => setTimeout(resolve, 20_000))
    idle = ((cpuSeconds(family(pid)) - before) / 20) * 100
  }
  await session.stop()
}
rmSync(home, { recursive: true, force: true })
console.log(`| process start to interactive screen, median of 5 | ${median(starts).toFixed(0)} ms |`)
console.log(`| the same, slowest | ${Math.max(...starts).toFixed(0)} ms |`)
console.log(`| idle app and its web view, over 20 s | ${idle.toFixed(2)} % of one core |`)
