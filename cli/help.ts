import type { Help, HelpConfiguration } from 'commander';

/** Terms up to here stand beside their description; the longer ones, as the agent's flags are, above it. */
const TERM_WIDTH = 28;
const INDENT = 2;
const GAP = 2;

/** A pipe gets what a small terminal would; lines wider than 100 columns are hard to read. */
export function helpWidth(columns: number | undefined): number {
  return Math.min(columns || 80, 100);
}

/** Help that reads well at 80 columns. */
export const helpStyle: HelpConfiguration = {
  formatItem(term: string, termWidth: number, description: string, help: Help): string {
    if (description === '') return ' '.repeat(INDENT) + term;
    const column = INDENT + Math.min(termWidth, TERM_WIDTH) + GAP;
    const text = help
      .boxWrap(description, (help.helpWidth ?? 80) - column)
      .replaceAll('\n', `\n${' '.repeat(column)}`);
    const head = ' '.repeat(INDENT) + term;
    return term.length > TERM_WIDTH ? `${head}\n${' '.repeat(column)}${text}` : head.padEnd(column) + text;
  },
  optionDescription(option) {
    const notes = [
      ...(option.argChoices && !option.flags.includes('|') ? [option.argChoices.join(', ')] : []),
      ...(option.defaultValue === undefined || option.required === false
        ? []
        : [`default ${String(option.defaultValue)}`]),
      ...(option.envVar === undefined ? [] : [`or ${option.envVar}`]),
    ];
    return notes.length === 0 ? option.description : `${option.description} (${notes.join('; ')})`;
  },
};
