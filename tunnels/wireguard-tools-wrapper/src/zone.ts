/** Zones of link-local addresses, `fe80::1%eth0`: names for people, interface indices in a sockaddr_in6. */
import { networkInterfaces } from 'node:os';
import { WireGuardError } from './errors.ts';

/**
 * The interface index of a zone, by name or number, in this process's network namespace.
 * @throws WireGuardError `INVALID` when no interface that is up has that name.
 */
export function zoneIndex(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  for (const { scopeid } of addressesOf(zone)) {
    if (scopeid !== undefined && scopeid > 0) return scopeid;
  }
  throw new WireGuardError(
    'INVALID',
    `no interface ${JSON.stringify(zone)} with a link-local address is up here`,
  );
}

/** The name of an interface that is up, else its number. */
export function zoneName(index: number): string {
  for (const name of Object.keys(networkInterfaces())) {
    if (addressesOf(name).some(({ scopeid }) => scopeid === index)) return name;
  }
  return String(index);
}

/** Of one interface. */
function addressesOf(name: string): { readonly scopeid?: number | undefined }[] {
  return networkInterfaces()[name] ?? [];
}
