import { crc32 } from 'node:zlib';

/** Eight hexadecimal digits, the form in which checksums stand in files. */
export function hex8(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** The CRC-32 of `data`, continued from that of what stands before it. */
export function checksum(data: string | Uint8Array, before = 0): number {
  return crc32(data, before);
}
