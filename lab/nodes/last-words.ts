/** The last line that a program wrote, without the `sheath: ` that ours begin with: whoever prints it puts its own before it. */
export function lastWords(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line.replace(/^(sheath: )+/, '');
}
