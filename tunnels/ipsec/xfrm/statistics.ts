/** What the kernel's IPsec dropped: `/proc/net/xfrm_stat` (Linux: Documentation/networking/xfrm_proc.rst). */
import { readFile } from 'node:fs/promises';
import type { XfrmDrops } from '../../dataplane.ts';

const PATH = '/proc/net/xfrm_stat';

/** Those that are not 0, sorted; of the whole network namespace. None where the kernel does not count (CONFIG_XFRM_STATISTICS). */
export async function readDrops(path = PATH): Promise<readonly XfrmDrops[]> {
  return parseDrops(await readFile(path, 'utf8').catch(() => ''));
}

export function parseDrops(text: string): XfrmDrops[] {
  return text
    .split('\n')
    .map((line) => /^(Xfrm\w+)\s+(\d+)$/.exec(line.trim()))
    .flatMap((found) => (found === null ? [] : [{ reason: found[1] ?? '', packets: Number(found[2]) }]))
    .filter(({ packets }) => packets > 0)
    .sort((a, b) => (a.reason < b.reason ? -1 : 1));
}
