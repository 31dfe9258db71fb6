#!/usr/bin/env bash
# Draws every size of the icon from icon.svg. Needs rsvg-convert, ImageMagick and Node; the results are committed.
set -euo pipefail
cd "$(dirname "$0")"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

magick="$(command -v magick || command -v convert)"

# PNG32 keeps 8-bit RGBA, which Tauri insists on.
draw() {
  rsvg-convert --width "$1" --height "$1" icon.svg --output "$scratch/raw.png"
  "$magick" "$scratch/raw.png" -depth 8 -strip "PNG32:$2"
}

draw 32 32x32.png
draw 128 128x128.png
draw 256 128x128@2x.png
draw 512 icon.png

for size in 16 24 32 48 64 128 256 512 1024; do draw "$size" "$scratch/$size.png"; done
"$magick" "$scratch"/{16,24,32,48,64,256}.png icon.ico
node icns.js icon.icns "$scratch"/{16,32,64,128,256,512,1024}.png

cp icon.svg ../ui/public/icon.svg
