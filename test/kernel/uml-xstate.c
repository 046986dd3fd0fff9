/*
 * Lets user-mode Linux before 7.0 run on a host CPU with AMX. It reads and writes a process's extended registers by
 * ptrace in a buffer of 2696 bytes, which ends with AVX-512 and PKRU; with AMX the host demands the whole area, and
 * refuses a shorter write with EFAULT ("userspace - ptrace set fp regs failed, errno = 14", the guest then panics).
 * The rest belongs to AMX, which a process must ask for before it has any: so the rest is zeros, always.
 *
 * Preloaded: cc -shared -fPIC -O2 -o uml-xstate.so uml-xstate.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define LARGEST 65536

/* One CPU, and only its kernel thread gets here: no lock. Static, for that thread's stack is small. */
static unsigned char area[LARGEST];
static size_t area_size;

typedef long (*ptrace_function)(int request, pid_t process, void *address, void *data);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function real;
	struct iovec *wanted, whole = { .iov_base = area, .iov_len = LARGEST };
	void *address, *data;
	va_list arguments;
	pid_t process;
	long result;

	va_start(arguments, request);
	process = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if (!real)
		real = (ptrace_function)dlsym(RTLD_NEXT, "ptrace");
	if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET) || (long)address != NT_X86_XSTATE)
		return real(request, process, address, data);

	wanted = data;
	if (request == PTRACE_SETREGSET && wanted->iov_len < area_size) {
		memcpy(area, wanted->iov_base, wanted->iov_len);
		memset(area + wanted->iov_len, 0, area_size - wanted->iov_len);
		whole.iov_len = area_size;
		return real(request, process, address, &whole);
	}
	if (request == PTRACE_SETREGSET)
		return real(request, process, address, data);
	result = real(request, process, address, &whole);
	if (result < 0)
		return result;
	area_size = whole.iov_len;
	if (wanted->iov_len > area_size)
		wanted->iov_len = area_size;
	memcpy(wanted->iov_base, area, wanted->iov_len);
	return result;
}
