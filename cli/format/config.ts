import type { ConfigView, Origin } from '../../operator/config/schema.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

interface Row extends Origin {
  readonly path: string;
}

/** Every value that holds, and who said so. */
export function formatConfig(config: ConfigView, view: View): string {
  const rows = Object.entries(config).map(([path, origin]): Row => ({ path, ...origin }));
  return renderTable(rows, {
    paint: view.paint,
    wide: view.wide,
    columns: [
      { header: 'SETTING', value: (row) => row.path },
      { header: 'VALUE', value: (row) => formatSetting(row.value) },
      {
        header: 'FROM',
        value: (row) => (row.name === undefined ? row.source : `${row.source} ${row.name}`),
        tone: (row) => (row.source === 'default' ? 'dim' : undefined),
      },
    ],
  });
}

function formatSetting(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(formatSetting).join(',');
  if (typeof value === 'string') return value === '' ? "''" : value;
  return value === undefined ? '-' : JSON.stringify(value);
}
