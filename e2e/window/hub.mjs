// A hub of models within this machine, as far as the app needs one: a repository with one file, ranges, hashes.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

/** Serves `files` (`{ 'owner/name': { 'file.gguf': path } }`); `slow(bytesPerSecond)` holds every connection back. */
export async function startHub(files) {
  let rate = 0
  const hosted = new Map()
  for (const [repository, paths] of Object.entries(files)) {
    for (const [name, path] of Object.entries(paths)) {
      const content = readFileSync(path)
      hosted.set(`${repository}/${name}`, { name, content, hash: createHash('sha256').update(content).digest('hex') })
    }
  }
  const of = (repository) => [...hosted].filter(([key]) => key.startsWith(`${repository}/`)).map(([, file]) => file)

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://hub')
    const api = /^\/api\/models\/([^/]+\/[^/]+)(\/(?:tree|revision)\/.+)?$/.exec(pathname)
    if (api) {
      const mine = of(api[1])
      const tree = mine.map(({ name, content, hash }) => {
        return { type: 'file', path: name, size: content.length, lfs: { oid: hash, size: content.length } }
      })
      const about = { id: api[1], gated: false, cardData: { license: 'apache-2.0' }, tags: ['gguf'] }
      response.writeHead(mine.length ? 200 : 404, { 'content-type': 'application/json' })
      return response.end(JSON.stringify(api[2]?.startsWith('/tree') ? tree : about))
    }
    const asked = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(pathname)
    const file = asked && hosted.get(`${asked[1]}/${asked[2]}`)
    if (!file) {
      response.writeHead(404)
      return response.end()
    }
    const total = file.content.length
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
    const first = range ? Number(range[1]) : 0
    const last = range?.[2] ? Math.min(Number(range[2]), total - 1) : total - 1
    response.writeHead(range ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag: `"${file.hash}"`,
      'x-linked-etag': `"${file.hash}"`,
      'x-linked-size': total,
      'content-length': last - first + 1,
      ...(range && { 'content-range': `bytes ${first}-${last}/${total}` }),
    })
    for (let at = first; at <= last && !response.destroyed; at += 65536) {
      response.write(file.content.subarray(at, Math.min(at + 65536, last + 1)))
      await new Promise((resolve) => setTimeout(resolve, rate && 65_536_000 / rate))
    }
    response.end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    slow: (bytesPerSecond) => (rate = bytesPerSecond),
    stop: () => server.close(() => {}) && server.closeAllConnections(),
  }
}
