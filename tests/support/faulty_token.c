/*
 * faulty_token: a PKCS#11 module that forwards to a real one and misbehaves
 * on request, so that the tests can see what a caller does about it.
 *
 *   cc -shared -fPIC -o faulty_token.so faulty_token.c -ldl
 *
 * Linux x86-64 only. The environment is read once, at the first
 * C_GetFunctionList of the process; all counts are per process.
 *
 *   FAULTY_TOKEN_MODULE  the real module (/usr/lib/softhsm/libsofthsm2.so)
 *   FAULTY_TOKEN_AT      n, from 1 (default 1): which call goes wrong
 *   FAULTY_TOKEN_COUNT   file that gets one byte per signature the real C_Sign
 *                        made, written before anything is done to the result
 *   FAULTY_TOKEN_FLAGS   hex, for tokenflags
 *   FAULTY_TOKEN_USEC    microseconds, for slow
 *   FAULTY_TOKEN_MODE    one of
 *     none           forward everything (the default)
 *     flip           n-th C_Sign: one bit of the signature is inverted
 *     short          n-th C_Sign: the reported length is one too small
 *     removed        n-th C_Sign: CKR_DEVICE_REMOVED, nothing signed
 *     general        n-th C_Sign: CKR_GENERAL_ERROR, nothing signed
 *     sessionclosed  n-th C_Sign: CKR_SESSION_CLOSED, nothing signed
 *     kill           n-th C_Sign: SIGKILL before the token is called
 *     killafter      n-th C_Sign: SIGKILL after the token has signed
 *     slow           every C_Sign is delayed
 *     killsetpin     C_SetPIN: SIGKILL before the token is called
 *     killsetpinafter  C_SetPIN: SIGKILL after the token is done
 *     killgen        n-th C_GenerateKeyPair: SIGKILL after the token is done
 *     genfail        n-th C_GenerateKeyPair: CKR_DEVICE_ERROR, nothing made
 *     genrefuse      n-th C_GenerateKeyPair: CKR_MECHANISM_INVALID, nothing made
 *     generror       n-th C_GenerateKeyPair: CKR_DEVICE_ERROR, the pair is made
 *     genpublic      as generror, but only the public key is there
 *     genprivate     n-th C_GenerateKeyPair: SIGKILL, only the private key is there
 *     killdestroy    n-th C_DestroyObject: SIGKILL after the token is done
 *     blind          C_GetAttributeValue of every private key: CKR_GENERAL_ERROR
 *     stuck          as extractable, and every C_DestroyObject: CKR_ACTION_PROHIBITED
 *     pinlocked      every C_Login: CKR_PIN_LOCKED, token not called
 *     pinincorrect   every C_Login: CKR_PIN_INCORRECT, token not called
 *     tokenflags     C_GetTokenInfo: FAULTY_TOKEN_FLAGS are set as well
 *     extractable    C_GetAttributeValue: CKA_EXTRACTABLE always reads true
 *     sessions       n-th C_OpenSession and all later ones: CKR_SESSION_COUNT
 *
 * Only the n-th call goes wrong, not the ones after it. A C_Sign without an
 * output buffer only asks for the length: it is forwarded and not counted.
 * A setting that makes no sense fails C_GetFunctionList, so that a mistyped
 * mode cannot pass for a token that works.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;

#define CKR_OK 0x00UL
#define CKR_GENERAL_ERROR 0x05UL
#define CKR_ARGUMENTS_BAD 0x07UL
#define CKR_ATTRIBUTE_SENSITIVE 0x11UL
#define CKR_ACTION_PROHIBITED 0x1BUL
#define CKR_DEVICE_ERROR 0x30UL
#define CKR_ATTRIBUTE_TYPE_INVALID 0x12UL
#define CKR_DEVICE_REMOVED 0x32UL
#define CKR_MECHANISM_INVALID 0x70UL
#define CKR_PIN_INCORRECT 0xA0UL
#define CKR_SESSION_COUNT 0xB1UL
#define CKR_PIN_LOCKED 0xA4UL
#define CKR_SESSION_CLOSED 0xB0UL
#define CKR_BUFFER_TOO_SMALL 0x150UL
#define CKA_CLASS 0x0UL
#define CKO_PRIVATE_KEY 0x3UL
#define CKA_EXTRACTABLE 0x162UL

typedef struct {
    CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
    CK_ULONG type;
    void *value;
    CK_ULONG len;
} CK_ATTRIBUTE;

typedef struct {
    CK_ULONG mechanism;
    void *parameter;
    CK_ULONG len;
} CK_MECHANISM;

typedef struct {
    CK_BYTE label[32], manufacturer[32], model[16], serial[16];
    CK_ULONG flags;
    CK_ULONG sessions[4], pin_lengths[2], memory[4];
    CK_VERSION hardware, firmware;
    CK_BYTE utc_time[16];
} CK_TOKEN_INFO;

typedef struct CK_FUNCTION_LIST CK_FUNCTION_LIST;

/* An entry that is only passed on: its real signature does not matter here. */
typedef CK_RV (*forwarded)(void);

typedef CK_RV (*get_function_list_fn)(CK_FUNCTION_LIST **);
typedef CK_RV (*get_token_info_fn)(CK_ULONG, CK_TOKEN_INFO *);
typedef CK_RV (*open_session_fn)(CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *);
typedef CK_RV (*set_pin_fn)(CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG);
typedef CK_RV (*login_fn)(CK_ULONG, CK_ULONG, CK_BYTE *, CK_ULONG);
typedef CK_RV (*get_attribute_value_fn)(CK_ULONG, CK_ULONG, CK_ATTRIBUTE *, CK_ULONG);
typedef CK_RV (*destroy_object_fn)(CK_ULONG, CK_ULONG);
typedef CK_RV (*sign_fn)(CK_ULONG, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
typedef CK_RV (*sign_update_fn)(CK_ULONG, CK_BYTE *, CK_ULONG);
typedef CK_RV (*sign_final_fn)(CK_ULONG, CK_BYTE *, CK_ULONG *);
typedef CK_RV (*generate_key_pair_fn)(CK_ULONG, CK_MECHANISM *, CK_ATTRIBUTE *, CK_ULONG,
                                      CK_ATTRIBUTE *, CK_ULONG, CK_ULONG *, CK_ULONG *);

struct CK_FUNCTION_LIST {
    CK_VERSION version;
    forwarded C_Initialize;
    forwarded C_Finalize;
    forwarded C_GetInfo;
    get_function_list_fn C_GetFunctionList;
    forwarded C_GetSlotList;
    forwarded C_GetSlotInfo;
    get_token_info_fn C_GetTokenInfo;
    forwarded C_GetMechanismList;
    forwarded C_GetMechanismInfo;
    forwarded C_InitToken;
    forwarded C_InitPIN;
    set_pin_fn C_SetPIN;
    open_session_fn C_OpenSession;
    forwarded C_CloseSession;
    forwarded C_CloseAllSessions;
    forwarded C_GetSessionInfo;
    forwarded C_GetOperationState;
    forwarded C_SetOperationState;
    login_fn C_Login;
    forwarded C_Logout;
    forwarded C_CreateObject;
    forwarded C_CopyObject;
    destroy_object_fn C_DestroyObject;
    forwarded C_GetObjectSize;
    get_attribute_value_fn C_GetAttributeValue;
    forwarded C_SetAttributeValue;
    forwarded C_FindObjectsInit;
    forwarded C_FindObjects;
    forwarded C_FindObjectsFinal;
    forwarded C_EncryptInit;
    forwarded C_Encrypt;
    forwarded C_EncryptUpdate;
    forwarded C_EncryptFinal;
    forwarded C_DecryptInit;
    forwarded C_Decrypt;
    forwarded C_DecryptUpdate;
    forwarded C_DecryptFinal;
    forwarded C_DigestInit;
    forwarded C_Digest;
    forwarded C_DigestUpdate;
    forwarded C_DigestKey;
    forwarded C_DigestFinal;
    forwarded C_SignInit;
    sign_fn C_Sign;
    sign_update_fn C_SignUpdate;
    sign_final_fn C_SignFinal;
    forwarded C_SignRecoverInit;
    forwarded C_SignRecover;
    forwarded C_VerifyInit;
    forwarded C_Verify;
    forwarded C_VerifyUpdate;
    forwarded C_VerifyFinal;
    forwarded C_VerifyRecoverInit;
    forwarded C_VerifyRecover;
    forwarded C_DigestEncryptUpdate;
    forwarded C_DecryptDigestUpdate;
    forwarded C_SignEncryptUpdate;
    forwarded C_DecryptVerifyUpdate;
    forwarded C_GenerateKey;
    generate_key_pair_fn C_GenerateKeyPair;
    forwarded C_WrapKey;
    forwarded C_UnwrapKey;
    forwarded C_DeriveKey;
    forwarded C_SeedRandom;
    forwarded C_GenerateRandom;
    forwarded C_GetFunctionStatus;
    forwarded C_CancelFunction;
    forwarded C_WaitForSlotEvent;
};

_Static_assert(sizeof(CK_ULONG) == 8, "64-bit CK_ULONG");
_Static_assert(sizeof(CK_FUNCTION_LIST) == 8 + 68 * 8, "68 functions");
_Static_assert(offsetof(CK_FUNCTION_LIST, C_Sign) == 8 + 43 * 8, "C_Sign is entry 43");
_Static_assert(offsetof(CK_TOKEN_INFO, flags) == 96, "flags follow the texts");

enum mode {
    NONE, FLIP, SHORT, REMOVED, GENERAL, SESSIONCLOSED, KILL, KILLAFTER,
    SLOW, KILLGEN, PINLOCKED, PININCORRECT, TOKENFLAGS, EXTRACTABLE, SESSIONS,
    KILLSETPIN, KILLSETPINAFTER, GENFAIL, GENREFUSE, GENERROR, GENPUBLIC, GENPRIVATE, STUCK, KILLDESTROY, BLIND,
    MODES
};

static const char *const mode_names[MODES] = {
    "none", "flip", "short", "removed", "general", "sessionclosed", "kill", "killafter",
    "slow", "killgen", "pinlocked", "pinincorrect", "tokenflags", "extractable",
    "sessions", "killsetpin", "killsetpinafter", "genfail", "genrefuse", "generror", "genpublic", "genprivate",
    "stuck", "killdestroy", "blind",
};

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static CK_FUNCTION_LIST *real; /* set last, when everything below is ready */
static CK_FUNCTION_LIST table;
static enum mode mode;
static unsigned long at, extra_flags, delay_usec;
static char *count_path;
static atomic_ulong signs, generations, sessions;

static void die(void)
{
    raise(SIGKILL);
    _exit(137); /* not reached */
}

static void count_signature(void)
{
    if (!count_path)
        return;
    int fd = open(count_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "+", 1) != 1)
        fprintf(stderr, "faulty_token: %s: %s\n", count_path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/*
 * A C_Sign that fails ends the operation, so a failure made up here has to end
 * it in the real token too, or the next C_SignInit would find it still active.
 * A one-shot mechanism drops it when C_SignUpdate is refused; one that accepts
 * the update is finished over no data, and that result is thrown away.
 */
static void end_operation(CK_ULONG session)
{
    CK_BYTE nothing[1] = {0}, scrap[16384];
    CK_ULONG len = sizeof scrap;
    if (real->C_SignUpdate(session, nothing, 0) == CKR_OK)
        real->C_SignFinal(session, scrap, &len);
}

static CK_RV faulty_sign(CK_ULONG session, CK_BYTE *data, CK_ULONG data_len,
                         CK_BYTE *signature, CK_ULONG *signature_len)
{
    if (!signature)
        return real->C_Sign(session, data, data_len, signature, signature_len);

    enum mode fault = atomic_fetch_add(&signs, 1) + 1 == at ? mode : NONE;
    if (mode == SLOW)
        usleep((useconds_t)delay_usec);

    switch (fault) {
    case REMOVED:
        end_operation(session);
        return CKR_DEVICE_REMOVED;
    case GENERAL:
        end_operation(session);
        return CKR_GENERAL_ERROR;
    case SESSIONCLOSED:
        end_operation(session);
        return CKR_SESSION_CLOSED;
    case KILL:
        die();
        break;
    default:
        break;
    }

    CK_RV rv = real->C_Sign(session, data, data_len, signature, signature_len);
    if (rv == CKR_OK)
        count_signature();
    if (fault == KILLAFTER)
        die();
    if (rv == CKR_OK && *signature_len > 0) {
        if (fault == FLIP)
            signature[*signature_len / 2] ^= 0x01;
        else if (fault == SHORT)
            *signature_len -= 1;
    }
    return rv;
}

static CK_RV faulty_open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify,
                                 CK_ULONG *session)
{
    if (mode == SESSIONS && atomic_fetch_add(&sessions, 1) + 1 >= at)
        return CKR_SESSION_COUNT;
    return real->C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV faulty_login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG pin_len)
{
    if (mode == PINLOCKED)
        return CKR_PIN_LOCKED;
    if (mode == PININCORRECT)
        return CKR_PIN_INCORRECT;
    return real->C_Login(session, user, pin, pin_len);
}

static CK_RV faulty_get_token_info(CK_ULONG slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && mode == TOKENFLAGS)
        info->flags |= extra_flags;
    return rv;
}

static CK_RV faulty_set_pin(CK_ULONG session, CK_BYTE *old, CK_ULONG old_len, CK_BYTE *pin,
                            CK_ULONG pin_len)
{
    if (mode == KILLSETPIN)
        die();
    CK_RV rv = real->C_SetPIN(session, old, old_len, pin, pin_len);
    if (mode == KILLSETPINAFTER)
        die();
    return rv;
}

static CK_RV faulty_generate_key_pair(CK_ULONG session, CK_MECHANISM *mechanism,
                                      CK_ATTRIBUTE *public_template, CK_ULONG public_count,
                                      CK_ATTRIBUTE *private_template, CK_ULONG private_count,
                                      CK_ULONG *public_key, CK_ULONG *private_key)
{
    unsigned long n = atomic_fetch_add(&generations, 1) + 1;
    enum mode fault = n == at ? mode : NONE;
    if (fault == GENFAIL)
        return CKR_DEVICE_ERROR;
    if (fault == GENREFUSE)
        return CKR_MECHANISM_INVALID;
    CK_RV rv = real->C_GenerateKeyPair(session, mechanism, public_template, public_count,
                                       private_template, private_count, public_key, private_key);
    if (rv == CKR_OK && fault == GENPUBLIC)
        rv = real->C_DestroyObject(session, *private_key);
    if (rv == CKR_OK && fault == GENPRIVATE)
        rv = real->C_DestroyObject(session, *public_key);
    if (fault == KILLGEN || fault == GENPRIVATE)
        die();
    return fault == GENERROR || fault == GENPUBLIC ? CKR_DEVICE_ERROR : rv;
}

static CK_RV faulty_destroy_object(CK_ULONG session, CK_ULONG object)
{
    static atomic_ulong destroyed;
    if (mode == STUCK)
        return CKR_ACTION_PROHIBITED;
    CK_RV rv = real->C_DestroyObject(session, object);
    if (mode == KILLDESTROY && atomic_fetch_add(&destroyed, 1) + 1 == at)
        die();
    return rv;
}

static CK_RV faulty_get_attribute_value(CK_ULONG session, CK_ULONG object,
                                        CK_ATTRIBUTE *template, CK_ULONG count)
{
    if (mode == BLIND && count > 0 && template[0].type == CKA_CLASS) {
        CK_ULONG class = 0;
        CK_ATTRIBUTE one = {CKA_CLASS, &class, sizeof class};
        if (real->C_GetAttributeValue(session, object, &one, 1) == CKR_OK && class == CKO_PRIVATE_KEY)
            return CKR_GENERAL_ERROR;
    }
    CK_RV rv = real->C_GetAttributeValue(session, object, template, count);
    if (mode != EXTRACTABLE && mode != STUCK)
        return rv;
    /* With these three the template has still been filled in where it could be. */
    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID &&
        rv != CKR_BUFFER_TOO_SMALL)
        return rv;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_EXTRACTABLE && template[i].value && template[i].len == 1)
            *(CK_BYTE *)template[i].value = 1;
    return rv;
}

static int number(const char *name, int base, unsigned long fallback, unsigned long *out)
{
    const char *text = getenv(name);
    char *end;
    *out = fallback;
    if (!text || !*text)
        return 1;
    errno = 0;
    *out = strtoul(text, &end, base);
    if (errno == 0 && *end == '\0' && end != text && !strchr(text, '-'))
        return 1;
    fprintf(stderr, "faulty_token: %s=%s is not a number\n", name, text);
    return 0;
}

static int read_settings(void)
{
    const char *name = getenv("FAULTY_TOKEN_MODE");
    if (!name || !*name)
        name = "none";
    for (mode = NONE; mode < MODES; mode++)
        if (strcmp(name, mode_names[mode]) == 0)
            break;
    if (mode == MODES) {
        fprintf(stderr, "faulty_token: no mode is called %s\n", name);
        return 0;
    }
    if (!number("FAULTY_TOKEN_AT", 10, 1, &at) || !number("FAULTY_TOKEN_FLAGS", 16, 0, &extra_flags) ||
        !number("FAULTY_TOKEN_USEC", 10, 0, &delay_usec))
        return 0;
    if (at == 0) {
        fprintf(stderr, "faulty_token: FAULTY_TOKEN_AT counts from 1\n");
        return 0;
    }
    const char *path = getenv("FAULTY_TOKEN_COUNT");
    free(count_path);
    count_path = path && *path ? strdup(path) : NULL;
    return 1;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_RV load(void)
{
    if (!read_settings())
        return CKR_GENERAL_ERROR;

    const char *path = getenv("FAULTY_TOKEN_MODULE");
    if (!path || !*path)
        path = "/usr/lib/softhsm/libsofthsm2.so";
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = module ? dlsym(module, "C_GetFunctionList") : NULL;
    if (!symbol) {
        const char *why = dlerror();
        fprintf(stderr, "faulty_token: %s\n", why ? why : path);
        return CKR_GENERAL_ERROR;
    }
    get_function_list_fn get_list;
    memcpy(&get_list, &symbol, sizeof get_list);
    if (get_list == C_GetFunctionList) {
        fprintf(stderr, "faulty_token: FAULTY_TOKEN_MODULE is this module itself\n");
        return CKR_GENERAL_ERROR;
    }
    CK_FUNCTION_LIST *found = NULL;
    CK_RV rv = get_list(&found);
    if (rv != CKR_OK || !found)
        return rv != CKR_OK ? rv : CKR_GENERAL_ERROR;

    table = *found;
    table.C_GetFunctionList = C_GetFunctionList;
    table.C_GetTokenInfo = faulty_get_token_info;
    table.C_OpenSession = faulty_open_session;
    table.C_Login = faulty_login;
    table.C_GetAttributeValue = faulty_get_attribute_value;
    table.C_DestroyObject = faulty_destroy_object;
    table.C_Sign = faulty_sign;
    table.C_SetPIN = faulty_set_pin;
    table.C_GenerateKeyPair = faulty_generate_key_pair;
    real = found;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&load_lock);
    CK_RV rv = real ? CKR_OK : load();
    pthread_mutex_unlock(&load_lock);
    if (rv == CKR_OK)
        *list = &table;
    return rv;
}
