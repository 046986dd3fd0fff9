/** One of the two implementations, by name or by what the machine has. */
import { hasKernelWireGuard, KernelWireGuard } from './kernel.ts';
import type { WireGuard } from './types.ts';
import { type UserspaceOptions, UserspaceWireGuard } from './userspace.ts';

export type Implementation = 'kernel' | 'userspace';

export interface WireGuardOptions extends UserspaceOptions {
  readonly implementation: Implementation;
}

/** Does no I/O; sockets are opened with the first request. */
export function createWireGuard({ implementation, ...options }: WireGuardOptions): WireGuard {
  switch (implementation) {
    case 'kernel':
      return new KernelWireGuard();
    case 'userspace':
      return new UserspaceWireGuard(options);
  }
}

/** The kernel's WireGuard where it has one, else the daemons'. */
export async function openWireGuard(
  options: UserspaceOptions = {},
): Promise<{ readonly implementation: Implementation; readonly wireGuard: WireGuard }> {
  const implementation = (await hasKernelWireGuard()) ? 'kernel' : 'userspace';
  return { implementation, wireGuard: createWireGuard({ implementation, ...options }) };
}
