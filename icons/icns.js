// Writes an Apple icon file: `node icns.js OUT PNG…`. The format is the word "icns", the length of the file, and then
// one chunk a picture: a four-letter type, the chunk's length, the PNG. Lengths are big-endian and count the headers.
import { readFileSync, writeFileSync } from 'node:fs'

const types = { 16: ['icp4'], 32: ['icp5', 'ic11'], 64: ['ic12'], 128: ['ic07'], 256: ['ic08', 'ic13'], 512: ['ic09', 'ic14'], 1024: ['ic10'] }

const chunk = (type, body) => {
  const head = Buffer.alloc(8)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length + 8, 4)
  return Buffer.concat([head, body])
}

const [out, ...files] = process.argv.slice(2)
const chunks = files.flatMap((file) => {
  const png = readFileSync(file)
  const width = png.readUInt32BE(16)
  if (!types[width]) throw new Error(`${file}: no icon type for ${width} pixels`)
  return types[width].map((type) => chunk(type, png))
})
writeFileSync(out, chunk('icns', Buffer.concat(chunks)))
