import type { Context, Paint } from '../context.ts';
import { painter } from '../context.ts';
import { textWidth } from './text.ts';

/** What a formatting function needs to know of the reader. */
export interface View {
  readonly paint: Paint;
  readonly wide: boolean;
  /** Columns of the terminal. */
  readonly width: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function viewOf(context: Context, options: { wide: boolean; now?: number }): View {
  return {
    paint: painter(context.out),
    wide: options.wide,
    width: textWidth(context.out.columns),
    now: options.now ?? context.now(),
  };
}
