# Prints COUNT orders of SESSIONS customers, one purchase event a line; the same
# ones in every run. One of them is for an article that nobody has.
#   awk -v count=10000 -v sessions=500 -f orders.awk

# A number from 0 to n - 1. Every product below 2^53 is exact in every awk.
function draw(n) {
    seed = (seed * 69069 + 1) % 4294967296
    return int(seed / 4294967296 * n)
}

function money(cents) {
    return sprintf("%d.%02d", int(cents / 100), cents % 100)
}

BEGIN {
    seed = 20
    for (i = 1; i <= count; i++) {
        price = 199 + draw(50000)
        quantity = 1 + draw(3)
        customer = 1 + draw(sessions)
        article = "ARTICLE_" draw(900)
        if (i == int(count / 2)) {
            article = "ARTICLE_UNKNOWN"
        }
        printf "{\"name\":\"CHECKOUT\",\"userId\":\"USER_%d\"," \
            "\"sessionId\":\"SESSION_%d\",\"device\":\"PC\"," \
            "\"step\":\"purchase\",\"orderNo\":\"ord_%06d\"," \
            "\"totalPrice\":%s,\"currency\":\"EUR\",\"productList\":" \
            "[{\"productId\":\"%s\",\"price\":%s,\"quantity\":%d}]}\n", \
            customer, customer, i, money(price * quantity), \
            article, money(price), quantity
    }
}
