/** Characters that are not seen but change what is: controls, and those that turn the direction of writing around. */
// eslint-disable-next-line no-control-regex
const unseen = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/**
 * The text with such characters made visible, so that it cannot look like another one. Broken surrogates become U+FFFD.
 */
export function visible(text: string): string {
  const shown = text.replace(unseen, (character) => {
    const code = character.charCodeAt(0)
    // The pictures of the control characters have a block of their own.
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    if (code === 0x7f) return '\u2421'
    return `[U+${code.toString(16).toUpperCase().padStart(4, '0')}]`
  })
  return shown.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(^|[^\ud800-\udbff])[\udc00-\udfff]/g, '$1\ufffd')
}
