/* ring.c: a small character device made of owners. Each write to /dev/ka_ring is a packet, and takes a descriptor of a
 * ring that hardware could read; a read gives the oldest packet back. Everything that an open file owns is dropped,
 * once, when it is closed, however far its opening came.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include <ka.h>
#include <ka/linux.h>

enum { RING_LENGTH = 64, PACKET_MAX = 4096 };

struct descriptor {
    __le64 address; /* of the packet's bytes, physical */
    __le32 length, flags;
};

struct ring {
    struct descriptor at[RING_LENGTH];
};

struct packet {
    char *bytes;
    size_t length;
};

static void packet_drop(struct packet *packet)
{
    ka_free(ka_physical, packet->bytes, packet->length, 64);
}

KA_BOX(ring_box, struct ring, KA_NO_DROP)
KA_VEC(packet_vec, struct packet, packet_drop)

/* What an open file owns. All zero owns nothing. */
struct session {
    struct mutex lock;
    ring_box ring;      /* in memory that a device can read */
    packet_vec packets; /* oldest first */
    size_t written;
};

static void session_drop(struct session *session)
{
    packet_vec_drop(&session->packets);
    ring_box_drop(&session->ring);
}

KA_BOX(session_box, struct session, session_drop)

static int ring_open(struct inode *inode, struct file *file)
{
    session_box box = { 0 };
    struct session *session = session_box_new(&box, ka_kmalloc);
    if (session == NULL || ring_box_new(&session->ring, ka_physical) == NULL) {
        session_box_drop(&box);
        return -ENOMEM;
    }
    mutex_init(&session->lock);
    session->packets = packet_vec_in(ka_kmalloc);
    file->private_data = session_box_into_raw(&box); /* the file owns it now */
    return nonseekable_open(inode, file);
}

static int ring_release(struct inode *inode, struct file *file)
{
    session_box box = session_box_from_raw(file->private_data, ka_kmalloc);
    session_box_drop(&box);
    return 0;
}

static ssize_t ring_write(struct file *file, const char __user *from, size_t length, loff_t *offset)
{
    struct session *session = file->private_data;
    if (length == 0 || length > PACKET_MAX)
        return -EINVAL;
    struct packet packet = { ka_alloc(ka_physical, length, 64, 0), length };
    if (packet.bytes == NULL)
        return -ENOMEM;
    ssize_t result = -EFAULT;
    mutex_lock(&session->lock);
    if (copy_from_user(packet.bytes, from, length) == 0)
        result = packet_vec_len(&session->packets) == RING_LENGTH ? -ENOSPC
                 : packet_vec_push(&session->packets, packet)     ? (ssize_t)length
                                                                  : -ENOMEM;
    if (result > 0)
        ring_box_get(&session->ring)->at[session->written++ % RING_LENGTH] =
            (struct descriptor){ cpu_to_le64(ka_physical_address(packet.bytes)), cpu_to_le32((u32)length), 0 };
    mutex_unlock(&session->lock);
    if (result < 0)
        packet_drop(&packet); /* a push that fails has taken nothing */
    return result;
}

static ssize_t ring_read(struct file *file, char __user *to, size_t length, loff_t *offset)
{
    struct session *session = file->private_data;
    struct packet packet = { NULL, 0 };
    mutex_lock(&session->lock);
    bool some = packet_vec_len(&session->packets) > 0;
    if (some)
        packet = packet_vec_remove(&session->packets, 0);
    mutex_unlock(&session->lock);
    if (!some)
        return 0;
    ssize_t result = (ssize_t)min(length, packet.length);
    if (copy_to_user(to, packet.bytes, (size_t)result) != 0)
        result = -EFAULT;
    packet_drop(&packet);
    return result;
}

static const struct file_operations ring_operations = {
    .owner = THIS_MODULE,
    .open = ring_open,
    .release = ring_release,
    .read = ring_read,
    .write = ring_write,
};

static struct miscdevice ring_device = { .minor = MISC_DYNAMIC_MINOR, .name = "ka_ring", .fops = &ring_operations };
module_misc_device(ring_device);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("An example of kernel_alloc: a character device made of owners");
