import { Option } from 'commander';

export const OUTPUTS = ['table', 'wide', 'json', 'yaml'] as const;
export type Output = (typeof OUTPUTS)[number];

export interface OutputOptions {
  readonly output: Output;
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(OUTPUTS).default('table');
}

/**
 * The value itself for `json` and `yaml`, its field names being stable, else what `text` makes of it for a reader.
 * Ends with a newline.
 */
export async function render(
  value: unknown,
  { output, text }: { readonly output: Output; readonly text: (wide: boolean) => string },
): Promise<string> {
  switch (output) {
    case 'json':
      return `${JSON.stringify(value, null, 2)}\n`;
    case 'yaml': {
      const { toYaml } = await import('./yaml.ts');
      return toYaml(value);
    }
    case 'table':
      return text(false);
    case 'wide':
      return text(true);
  }
}
