from django.http import HttpResponse


def import_list(request):
    return HttpResponse("")


def import_detail(request, pk):
    return HttpResponse("")


def import_refused(request, pk):
    return HttpResponse("")
